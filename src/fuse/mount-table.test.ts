import { expect, test } from 'vitest';

import { parseMountTable, readMountTable, topMount } from './mount-table.js';

const TEXT = `24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
42 24 0:39 / /mnt/a\\040b\\134c ro,nosuid - fuse.layoutfs s3://b,u/p\\011q ro,user_id=0,allow_other
43 24 0:40 / /mnt/x rw shared:2 master:1 - tmpfs tmpfs rw
45 43 0:41 / /mnt/x ro - fuse.layoutfs memory ro
46 24 0:42 / /proc rw - proc proc rw
`;

test('the fields of a line, with octal escapes and any number of optional fields', () => {
  const mounts = parseMountTable(TEXT);
  expect(mounts).toHaveLength(5);
  expect(mounts[1]).toEqual({
    id: 42,
    parentId: 24,
    device: '0:39',
    mountpoint: '/mnt/a b\\c',
    fsType: 'fuse.layoutfs',
    source: 's3://b,u/p\tq',
    options: ['ro', 'nosuid', 'ro', 'user_id=0', 'allow_other'],
  });
});

test('the topmost mount of a mountpoint, and only of exactly that', () => {
  const mounts = parseMountTable(TEXT);
  expect(topMount(mounts, '/mnt/x')?.id).toBe(45);
  expect(topMount([...mounts].reverse(), '/mnt/x')?.id).toBe(45);
  expect(topMount(mounts, '/mnt')).toBeUndefined();
});

test('the table of this machine', async () => {
  const root = topMount(await readMountTable(), '/');
  expect(root?.fsType).toBeTruthy();
});
