import { describe, expect, it } from 'vitest';
import { Arena, type Piece } from './arena.js';
import { PART_SIZE } from './grid.js';

/** Pieces that overlap, which none may. */
function overlaps(pieces: readonly Piece[]): number {
  const sorted = [...pieces].sort((a, b) => a.offset - b.offset);
  return sorted.filter((piece, i) => {
    const next = sorted[i + 1];
    return next !== undefined && piece.offset + piece.length > next.offset;
  }).length;
}

describe('Arena', () => {
  it('gives out everything in parts, and no more', () => {
    const arena = new Arena(3 * PART_SIZE);
    const parts = [1, 2, 3].map(() => arena.allocate(PART_SIZE));
    expect(parts.map((part) => part?.length)).toEqual([PART_SIZE, PART_SIZE, PART_SIZE]);
    expect(arena.allocate(1)).toBeUndefined();
    for (const part of parts) if (part) arena.free(part);
    expect(arena.used).toBe(0);
    expect(arena.allocate(PART_SIZE)).toBeDefined();
  });

  it('wastes less than 4 KiB of a piece of any length', () => {
    const arena = new Arena(2 * PART_SIZE);
    const piece = arena.allocate(5 * 1024 ** 2 + 1);
    expect(piece?.length).toBe(5 * 1024 ** 2 + 4096);
    expect(arena.used).toBe(5 * 1024 ** 2 + 4096);
  });

  it('takes back the end of a piece', () => {
    const arena = new Arena(PART_SIZE);
    const piece = arena.allocate(PART_SIZE);
    arena.free({ offset: (piece?.offset ?? 0) + 8192, length: PART_SIZE - 8192 });
    expect(arena.used).toBe(8192);
    arena.free({ offset: piece?.offset ?? 0, length: 8192 });
    expect(arena.allocate(PART_SIZE)).toEqual(piece);
  });

  it('never gives out a byte twice, and is whole again in the end', () => {
    const arena = new Arena(2 * PART_SIZE + 5 * 4096 + 17);
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    const held: Piece[] = [];
    for (let i = 0; i < 3000; i++) {
      if (random(3) > 0) {
        const piece = arena.allocate(1 + random(random(2) ? PART_SIZE : 30_000));
        if (piece) held.push(piece);
      } else {
        const [piece] = held.splice(random(held.length || 1), 1);
        if (piece) arena.free(piece);
      }
      if (i % 100 === 0) expect(overlaps(held)).toBe(0);
      expect(arena.used).toBe(held.reduce((sum, piece) => sum + piece.length, 0));
    }
    for (const piece of held) arena.free(piece);
    expect([arena.allocate(PART_SIZE), arena.allocate(PART_SIZE)]).not.toContain(undefined);
  });
});
