import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { silentLog } from '../../observe/log.js';
import { Device } from './device.js';
import { encodeStatus } from './replies.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'device-'));
  file = join(directory, 'written');
});
afterEach(() => rmSync(directory, { recursive: true }));

const unique = { low: 7, high: 1 };

test('an answer that cannot be written becomes EIO, so that nobody waits for ever', () => {
  const fd = openSync(file, 'w');
  const errors: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => errors.push(message) };
  const noBytes = [{ byteLength: 3 } as Uint8Array];
  expect(new Device(fd, log).answer(unique, noBytes)).toBe(false);
  closeSync(fd);
  expect(readFileSync(file)).toEqual(encodeStatus(unique, 5));
  expect(errors).toEqual([expect.stringContaining('gets EIO instead')]);
});

test('on a device that takes nothing, an answer is not taken, and no more', () => {
  const fd = openSync('/dev/null', 'r');
  expect(new Device(fd, silentLog).answer(unique, [encodeStatus(unique)])).toBe(false);
  closeSync(fd);
});
