import { parentPort, workerData } from 'node:worker_threads';
import { createHasher, type Hasher } from '../oci/hash.js';
import { BLOCK_SIZE } from './grid.js';
import type { HashAnswer, HashRequest, HashThreadData } from './hash-messages.js';
import { PIN_SIZE, PinMaker } from './pins.js';

/**
 * A thread that hashes blobs where they lie in shared memory. Each block is hashed and pinned while
 * the processor has it at hand.
 */

const { memory, secret } = workerData as HashThreadData;
const pinMaker = new PinMaker(secret);
const hashers = new Map<number, Hasher>();

function update(hasher: Hasher | undefined, offset: number, length: number): Uint8Array {
  const pins = new Uint8Array(Math.ceil(length / BLOCK_SIZE) * PIN_SIZE);
  for (let at = 0, pin = 0; at < length; at += BLOCK_SIZE, pin += PIN_SIZE) {
    const block = new Uint8Array(memory, offset + at, Math.min(BLOCK_SIZE, length - at));
    hasher?.update(block);
    pins.set(pinMaker.pin(block), pin);
  }
  return pins;
}

function answer(message: HashAnswer): void {
  parentPort?.postMessage(message);
}

parentPort?.on('message', (request: HashRequest) => {
  const { hash } = request;
  const hasher = hashers.get(hash);
  switch (request.kind) {
    case 'start': {
      const started = createHasher(request.algorithm);
      if (started) hashers.set(hash, started);
      break;
    }
    case 'update':
      answer({ kind: 'update', hash, pins: update(hasher, request.offset, request.length) });
      break;
    case 'digest':
      answer({ kind: 'digest', hash, digest: hasher?.digest() ?? '' });
      hashers.delete(hash);
      break;
    case 'end':
      hashers.delete(hash);
      break;
  }
});
