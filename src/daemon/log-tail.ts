import { open } from 'node:fs/promises';

const LINES = 5;
const BYTES = 4096;

/** The last lines written to a file since it had `from` bytes, joined by ` | `; empty if there are none. */
export async function readTail(path: string, from: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - BYTES);
    if (size <= start) return '';
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(size - start),
      0,
      size - start,
      start,
    );
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return lines
      .filter((line) => line.trim() !== '')
      .slice(-LINES)
      .join(' | ');
  } finally {
    await file.close();
  }
}
