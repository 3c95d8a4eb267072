import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryStateDir } from '../../../test/support/registries.js';
import type { Digest } from '../../oci/digest.js';
import { CopyTable } from './copy-table.js';
import { InventoryFile } from './inventory-file.js';

const A = `sha256:${'a'.repeat(64)}` as Digest;
const S = `sha512:${'b'.repeat(128)}` as Digest;

async function keep(): Promise<{ stateDir: string; path: string }> {
  const stateDir = temporaryStateDir();
  const copies = new CopyTable();
  copies.add(A, 'team/app', 12);
  copies.add(A, '', 12);
  copies.add(S, 'line\n"break"', 7);
  await new InventoryFile(stateDir, 's3://b', 'zot/').write({
    copies,
    finishedAt: 5,
    durationMs: 6,
  });
  const [name = ''] = await readdir(join(stateDir, 'inventories'));
  return { stateDir, path: join(stateDir, 'inventories', name) };
}

describe('the kept inventory', () => {
  test('comes back as it was', async () => {
    const { stateDir } = await keep();
    const kept = await new InventoryFile(stateDir, 's3://b', 'zot/').read();
    expect(kept).toMatchObject({ finishedAt: 5, durationMs: 6 });
    expect(kept?.copies.find(A)).toHaveLength(2);
    expect(kept?.copies.find(S)).toEqual([{ directory: 'line\n"break"', size: 7 }]);
    expect(kept?.copies.size).toBe(3);
  });

  test('is of one store and root', async () => {
    const { stateDir } = await keep();
    expect(await new InventoryFile(stateDir, 's3://b', '').read()).toBeUndefined();
    expect(await new InventoryFile(stateDir, 's3://c', 'zot/').read()).toBeUndefined();
  });

  test('may hold nothing', async () => {
    const stateDir = temporaryStateDir();
    const file = new InventoryFile(stateDir, 's3://b', '');
    await file.write({ copies: new CopyTable(), finishedAt: 1, durationMs: 1 });
    expect((await file.read())?.copies.size).toBe(0);
  });

  test('leaves no other file behind', async () => {
    const { stateDir } = await keep();
    expect(await readdir(join(stateDir, 'inventories'))).toHaveLength(1);
  });

  test('is refused when it was cut short anywhere', async () => {
    const { stateDir, path } = await keep();
    const { length } = await readFile(path);
    // The line feed at the very end may be missing.
    for (let end = length - 2; end >= 0; end -= 7) {
      await truncate(path, end);
      await expect(new InventoryFile(stateDir, 's3://b', 'zot/').read()).rejects.toThrow();
    }
  });

  test.each([
    ['no JSON', () => 'x'],
    ['another version', (text: string) => text.replace('"version":1', '"version":2')],
    ['another store', (text: string) => text.replace('s3://b', 's3://c')],
    ['a bad digest', (text: string) => text.replace('aaaa', 'AAAA')],
    ['a bad size', (text: string) => text.replace(',12]', ',"12"]')],
    ['another count', (text: string) => text.replace(/3\n$/, '4\n')],
  ])('is refused when it is damaged: %s', async (_, damage) => {
    const { stateDir, path } = await keep();
    const text = await readFile(path, 'utf8');
    expect(damage(text)).not.toBe(text);
    await writeFile(path, damage(text));
    await expect(new InventoryFile(stateDir, 's3://b', 'zot/').read()).rejects.toThrow();
  });
});
