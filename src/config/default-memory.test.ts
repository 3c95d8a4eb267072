import { describe, expect, it } from 'vitest';
import { defaultMemory } from './default-memory.js';

const MIB = 1024 ** 2;

describe('defaultMemory', () => {
  it.each([
    ['a large machine', Infinity, 64_000 * MIB, 256],
    ['a group without a limit, as the kernel writes it', 2 ** 63, 64_000 * MIB, 256],
    ['a small machine', Infinity, 1000 * MIB, 125],
    ['a small group on a large machine', 512 * MIB, 64_000 * MIB, 64],
    ['next to nothing', 30 * MIB, 64_000 * MIB, 16],
  ])('of %s', (_what, limit, total, expected) => {
    expect(defaultMemory(limit, total)).toBe(expected * MIB);
  });
});
