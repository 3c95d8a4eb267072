/**
 * The lines of the table in their order: what a figure is, and which is better.
 * @type {Record<string, { unit: string, better: 'more' | 'less', digits?: number }>}
 */
export const LINES = {
  cold: { unit: 'MB/s', better: 'more' },
  'cold, without FUSE': { unit: 'MB/s', better: 'more' },
  'cold: CPU s per GiB': { unit: 's', better: 'less', digits: 2 },
  'cold: peak memory, MB': { unit: 'MB', better: 'less' },
  'cold: GETs': { unit: '', better: 'less' },
  'cold: bytes fetched / size': { unit: '', better: 'less', digits: 3 },
  again: { unit: 'MB/s', better: 'more' },
  'again: random 4 KiB (fio)': { unit: 'MB/s', better: 'more' },
  'again: mmap (fio)': { unit: 'MB/s', better: 'more' },
  'its pages dropped': { unit: 'MB/s', better: 'more' },
  'all pages dropped': { unit: 'MB/s', better: 'more' },
  'all of these: GETs': { unit: '', better: 'less' },
  'after a remount': { unit: 'MB/s', better: 'more' },
  'after a remount: bytes fetched / size': { unit: '', better: 'less', digits: 3 },
  'skopeo, cold': { unit: 'ms', better: 'less' },
  'skopeo, again': { unit: 'ms', better: 'less' },
  '64 random 4 KiB': { unit: 'ms', better: 'less' },
  '64 random 4 KiB: GETs': { unit: '', better: 'less' },
  '64 random 4 KiB: MB fetched': { unit: 'MB', better: 'less', digits: 1 },
  'first byte, from the mount command': { unit: 'ms', better: 'less' },
  'first byte, from open': { unit: 'ms', better: 'less', digits: 1 },
  '8 readers of 8 blobs': { unit: 'MB/s', better: 'more' },
  '8 readers: CPU s per GiB': { unit: 's', better: 'less', digits: 2 },
  '8 readers: peak memory, MB': { unit: 'MB', better: 'less' },
  '8 readers: bytes fetched / size': { unit: '', better: 'less', digits: 3 },
  "Node's own start, ms": { unit: 'ms', better: 'less' },
  'sha256sum of the file, ms': { unit: 'ms', better: 'less' },
};
