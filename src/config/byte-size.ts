/** Bytes in one of each unit a size may be written in. */
const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
};

const SIZE = /^(\d+(?:\.\d+)?)\s*([kKMGT]i?B|B)?$/;

/**
 * The bytes in a size such as `64MiB`, `1GB` or `1048576`. Undefined when `text` is none, or is
 * too large to be an exact number.
 */
export function parseByteSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  const scale = UNITS[match?.[2] ?? 'B'];
  if (match?.[1] === undefined || scale === undefined) return undefined;
  const bytes = Math.round(Number(match[1]) * scale);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size for people, in binary units with at most one decimal: `617 B`, `1.5 KiB`, `64 MiB`. */
export function formatByteSize(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  // 1023.95 would round to "1024.0": it belongs to the next unit.
  while (unit < names.length - 1 && value >= 1023.95) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Number.isInteger(value) ? value.toString() : value.toFixed(1);
  return `${digits.replace(/\.0$/, '')} ${names[unit] ?? 'B'}`;
}
