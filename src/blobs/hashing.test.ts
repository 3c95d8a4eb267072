import { createHash, randomFillSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../observe/log.js';
import { Arena } from './arena.js';
import { BLOCK_SIZE } from './grid.js';
import { Hashing } from './hashing.js';

const SIZE = 10 * BLOCK_SIZE + 77;

const arena = new Arena(16 * BLOCK_SIZE);
const bytes = arena.view(0, SIZE);
randomFillSync(bytes);
let hashing: Hashing;

afterEach(() => hashing.close());

/** Hash the bytes in two steps; answers the digest and the pins. */
async function hashAll(algorithm: string, size: number): Promise<[string, Buffer]> {
  const hash = hashing.start(algorithm, size);
  const half = 5 * BLOCK_SIZE;
  const pins = await Promise.all([hash.update(0, half), hash.update(half, SIZE - half)]);
  return [await hash.digest(), Buffer.concat(pins)];
}

describe('Hashing', () => {
  it.each(['sha256', 'sha512', 'blake3'])(
    'answers the same %s from a thread',
    async (algorithm) => {
      const warnings: string[] = [];
      const log = {
        ...silentLog,
        warn: (_fields: unknown, message: string) => warnings.push(message),
      };
      hashing = new Hashing(arena, log);
      const inThread = await hashAll(algorithm, SIZE);
      // What is small is hashed without a thread.
      expect(inThread).toEqual(await hashAll(algorithm, 1));
      expect(inThread[1]).toEqual(Buffer.from(hashing.pinMaker.pins(bytes)));
      if (algorithm !== 'blake3') {
        const digest = createHash(algorithm).update(bytes).digest('hex');
        expect(inThread[0]).toBe(`${algorithm}:${digest}`);
      }
      expect(warnings).toEqual([]);
    },
  );

  it('fails what is under way when it is closed, and hashes what comes after', async () => {
    hashing = new Hashing(arena, silentLog);
    const hash = hashing.start('sha256', SIZE);
    const update = hash.update(0, BLOCK_SIZE);
    const failed = expect(update).rejects.toThrow('hash thread');
    await hashing.close();
    await failed;
    await expect(hash.digest()).rejects.toThrow('hash thread');
    expect((await hashAll('sha256', SIZE))[0]).toMatch(/^sha256:/);
  });
});
