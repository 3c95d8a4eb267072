import { z } from 'zod';
import { parseDigest, type Digest } from '../../oci/digest.js';
import { isFileName, isPath } from '../../registry/names.js';
import { MARKERS, OLD_MARKERS } from '../../registry/zot/blob-roots.js';
import type { Requests } from '../run/requests.js';
import { JOURNAL_DIRECTORY } from '../survey/key-kind.js';

/**
 * What a run writes down in the bucket, below `_layoutfs/<run>/`; docs/migration.md describes it for
 * others. Objects are written once and never changed. In this order:
 *
 * - `former-<number>.jsonl.gz`: how every object that the run will touch was before, one JSON object
 *   on each line ({@link FormerLine});
 * - `begin.json`: {@link Begin}; nothing is changed before it exists;
 * - `progress-<number>.jsonl.gz`: digests whose content was verified ({@link ProgressLine}), written
 *   before anything of them is deleted;
 * - `end.json`: {@link End}.
 *
 * A rollback adds `rollback-<number>.jsonl.gz`, of the form of `progress`, and `rolled-back.json`.
 */
export const JOURNAL_FORMAT = 1;

/** The layouts between which blobs are moved. */
export const LAYOUTS = ['shared', 'per-repository'] as const;
export type Layout = (typeof LAYOUTS)[number];

/** What a listing can tell to hold blobs; nothing else is written to, whatever a journal says. */
const directory = z.string().refine((path) => isPath(path, isFileName), 'no directory');
const digest = z.custom<Digest>((value) => parseDigest(value) !== undefined, 'no digest');

const formerLine = z.union([
  /** One digest: which directories had content (with its size) or a placeholder of it. */
  z.object({
    blob: digest,
    content: z.array(z.tuple([directory, z.number()])),
    placeholders: z.array(directory),
    /** Directories that the run gives the content; empty where it leaves the digest alone. */
    to: z.array(directory),
    /** Directories from which the run deletes the object. */
    remove: z.array(directory),
  }),
  /** The version of a repository's `index.json`. */
  z.object({ index: directory, etag: z.string().optional() }),
  /** A small object that the run deletes; its body in base64. */
  z.object({ object: z.enum([...MARKERS, ...OLD_MARKERS]), body: z.string() }),
]);
export type FormerLine = z.output<typeof formerLine>;
export type FormerBlob = Extract<FormerLine, { blob: Digest }>;
export type FormerIndex = Extract<FormerLine, { index: string }>;
export type FormerObject = Extract<FormerLine, { object: string }>;

const progressLine = z.union([
  z.object({
    blob: digest,
    size: z.number(),
    at: z.array(z.tuple([directory, z.string()]).or(z.tuple([directory]))),
    keep: z.array(directory),
  }),
  /** Nothing of this digest is changed, and why. */
  z.object({ blob: digest, skipped: z.string() }),
]);
export type ProgressLine = z.output<typeof progressLine>;

const begin = z.object({
  format: z.literal(JOURNAL_FORMAT, 'not of a format that this version of layoutfs knows'),
  run: z.string(),
  /** Name and version of what wrote it. */
  tool: z.string(),
  to: z.enum(LAYOUTS),
  startedAt: z.string(),
  /** Number of `former` segments. */
  segments: z.number(),
  digests: z.number(),
});
export type Begin = z.output<typeof begin>;

/** How a run or its rollback ended; never read back. */
export interface End {
  readonly endedAt: string;
  readonly settled: number;
  readonly skipped: number;
  readonly requests: Requests;
}

/** Something below `_layoutfs/` that cannot be understood. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

export const parseFormer = (text: string, where: string): FormerLine =>
  parse(formerLine, text, where);
export const parseProgress = (text: string, where: string): ProgressLine =>
  parse(progressLine, text, where);
export const parseBegin = (text: string, where: string): Begin => parse(begin, text, where);

function parse<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  where: string,
): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? (cause.issues[0]?.message ?? 'not valid') : 'not JSON';
    throw new JournalError(
      `The journal ${where} cannot be read: ${reason}. Nothing was changed; keep the journal, and ` +
        'use the version of layoutfs that wrote it.',
      { cause },
    );
  }
}

/** Names of the objects of a journal. */
export type SegmentKind = 'former' | 'progress' | 'rollback';

/** The key of a run's object, relative to the root. */
export function journalKey(run: string, name: string): string {
  return `${JOURNAL_DIRECTORY}/${run}/${name}`;
}

/** The name of one segment; the first one has number 1. */
export function segmentName(kind: SegmentKind, number: number): string {
  return `${kind}-${String(number).padStart(6, '0')}.jsonl.gz`;
}

/**
 * A new run's name: its number among the bucket's runs, whatever the clocks of those who made them
 * say, and the time for people.
 * @param runs names of the runs so far
 */
export function newRunName(runs: readonly string[], now: Date): string {
  const highest = Math.max(0, ...runs.map((run) => Number(/^\d+/.exec(run)?.[0] ?? 0)));
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  return `${String(highest + 1).padStart(4, '0')}-${time}`;
}
