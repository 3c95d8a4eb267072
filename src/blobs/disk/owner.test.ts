import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { isOwnerAlive, newOwner, retireOwner } from './owner.js';

/** What `owner` would be called if it was the process `pid`. */
async function ownerOf(pid: number): Promise<string> {
  const [boot = '', namespace = ''] = newOwner().split('.');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return [boot, namespace, pid, start, 1].join('.');
}

it('lives until it is retired', async () => {
  const owner = newOwner();
  expect(await isOwnerAlive(owner, 0)).toBe(true);
  retireOwner(owner);
  expect(await isOwnerAlive(owner, Date.now())).toBe(false);
});

it('of another process lives as long as that, and not as long as its parent knows of it', async () => {
  // The parent that the shell becomes waits for nobody.
  const parent = spawn('sh', ['-c', 'sleep 100 & echo $!; exec sleep 100']);
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    const owner = await ownerOf(pid);
    expect(await isOwnerAlive(owner, 0)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => readFile(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) Z/);
    expect(await isOwnerAlive(owner, Date.now())).toBe(false);
  } finally {
    parent.kill('SIGKILL');
  }
});
