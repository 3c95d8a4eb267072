import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('bin/layoutfs of a checkout that was not built says how to build it', async () => {
  const checkout = await mkdtemp(join(tmpdir(), 'layoutfs-bin-'));
  try {
    await cp(join(import.meta.dirname, '../../bin'), join(checkout, 'bin'), { recursive: true });
    await writeFile(join(checkout, 'package.json'), '{"type":"module"}');
    await expect(promisify(execFile)(join(checkout, 'bin/layoutfs'))).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'layoutfs: It is not built yet: run "npm ci" and "npm run build" in its directory first.\n',
    });
  } finally {
    await rm(checkout, { recursive: true });
  }
});
