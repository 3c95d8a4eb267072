import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Make a new directory for a test, which removes it. Its name has no capital letters, unlike those
 * of `mkdtemp`: buildah and podman name an image after the path it was read from, and refuse them.
 * Other users may pass through it, for tests that act as one.
 */
export async function makeTemporaryDirectory(prefix: string): Promise<string> {
  const directory = join(tmpdir(), `${prefix}-${randomBytes(4).toString('hex')}`);
  await mkdir(directory, { mode: 0o711 });
  return directory;
}
