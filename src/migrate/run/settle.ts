import type { Digest } from '../../oci/digest.js';
import { isStoreError } from '../../store/errors.js';
import type { CopyResult, WritableObjectStore } from '../../store/object-store.js';
import { copyIn, sameBytes, type Move, type Settled } from '../moves/move.js';
import { stepsOf, type Steps } from '../moves/steps.js';
import { copyKey, type BlobCopy } from '../survey/blob-table.js';
import { provesCopies } from './forecast.js';
import { obstacle } from './obstacle.js';
import { verify, type Verdict } from './verify.js';

/** What came of trying to have a digest's content, verified, wherever it shall be. */
export type Outcome =
  | { readonly state: 'settled'; readonly settled: Settled }
  /** Nothing of it may be deleted. `reason` is a full sentence; `passing`: it may be mended. */
  | { readonly state: 'skipped'; readonly reason: string; readonly passing?: boolean };

export interface SettleContext {
  readonly store: WritableObjectStore;
  /** Key prefix of the registry's root. */
  readonly root: string;
  readonly signal?: AbortSignal | undefined;
}

/** Failures that concern one object, so that the others can go on. */
const OF_ONE_OBJECT = ['AccessDenied', 'Archived', 'NotFound'] as const;

/**
 * Bring the content of a digest to where it shall be and verify it there, and find out which of the
 * objects that will be deleted are not what their names say. Nothing is deleted here but a copy of
 * our own that turned out wrong.
 * @throws StoreError when the store fails as a whole
 */
export async function settle(move: Move, context: SettleContext): Promise<Outcome> {
  const { digest } = move;
  const steps = stepsOf(move);
  const reason = obstacle(digest, steps.sources.length);
  if (reason !== undefined) return skipped(reason);
  try {
    return await new Settling(move, steps, context).run();
  } catch (error) {
    if (!isStoreError(error, ...OF_ONE_OBJECT)) throw error;
    const passing = !isStoreError(error, 'NotFound');
    return { state: 'skipped', reason: error.message, passing };
  }
}

const skipped = (reason: string): Outcome => ({ state: 'skipped', reason });

class Settling {
  readonly #move: Move;
  readonly #steps: Steps;
  readonly #context: SettleContext;
  readonly #digest: Digest;
  /** Verified content where it shall be, with ETags. */
  readonly #at = new Map<string, string | undefined>();
  /** Objects that are known to have the bytes. */
  readonly #proven: BlobCopy[] = [];
  readonly #keep: Set<string>;
  #size: number | undefined;

  constructor(move: Move, steps: Steps, context: SettleContext) {
    this.#move = move;
    this.#steps = steps;
    this.#context = context;
    this.#digest = move.digest;
    this.#keep = new Set(move.settled?.keep);
  }

  async run(): Promise<Outcome> {
    const replace = await this.#checkInPlace();
    const { content } = this.#move;
    for (const directory of [...this.#steps.copyTo, ...replace]) {
      const problem = await this.#bring(directory);
      if (problem === undefined) continue;
      await this.#undoWrong();
      return skipped(problem);
    }
    if (this.#size === undefined || this.#at.size === 0) {
      await this.#undoWrong();
      const where = content.map((directory) => copyKey(directory, this.#digest)).join(', ');
      return skipped(`What is stored as ${where} has other bytes than its name says.`);
    }
    await this.#checkBeforeLoss(this.#size);
    return {
      state: 'settled',
      settled: {
        size: this.#size,
        at: [...this.#at].map(([directory, etag]) =>
          etag === undefined ? [directory] : [directory, etag],
        ),
        keep: [...this.#keep],
      },
    };
  }

  /** @returns directories whose object is wrong, and our own to replace */
  async #checkInPlace(): Promise<string[]> {
    const { readInPlace } = this.#steps;
    const { copies, content, ours } = this.#move;
    const replace: string[] = [];
    for (const copy of copies) {
      const { directory } = copy;
      if (copy.placeholder || !content.includes(directory) || this.#keep.has(directory)) continue;
      const verdict: Verdict = readInPlace.includes(copy)
        ? await this.#verify(directory)
        : { state: 'right', size: copy.size, ...(copy.etag !== undefined && { etag: copy.etag }) };
      if (verdict.state === 'right') this.#isRight(copy, verdict);
      else if (ours?.has(directory) === true || verdict.state === 'absent') replace.push(directory);
      else this.#keep.add(directory);
    }
    return replace;
  }

  /** Copy the content to `directory`. @returns why that was not possible */
  async #bring(directory: string): Promise<string | undefined> {
    const wrong: BlobCopy[] = [];
    const sources = [
      ...this.#proven,
      ...this.#steps.sources.filter((copy) => !this.#proven.includes(copy)),
    ].filter((copy) => copy.directory !== directory && !this.#keep.has(copy.directory));
    for (const source of sources) {
      if (wrong.some((one) => sameBytes(one, source))) continue;
      const verdict = await this.#copy(source, directory);
      if (verdict.state === 'right') {
        this.#isRight(source, verdict);
        this.#at.set(directory, verdict.etag);
        return undefined;
      }
      if (verdict.state === 'wrong') wrong.push(source);
    }
    if (wrong.length > 0) await this.#undo(directory);
    return 'No object of it has the bytes that its name says.';
  }

  async #copy(source: BlobCopy, directory: string): Promise<Verdict> {
    const { store, root, signal } = this.#context;
    const to = root + copyKey(directory, this.#digest);
    const { size } = source;
    let copied: CopyResult;
    try {
      copied = await store.copy(root + source.key, to, { size, signal });
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return { state: 'absent' };
      throw error;
    }
    const { sha256, etag } = copied;
    if (sha256 === undefined || !provesCopies(store.capabilities, this.#digest, size)) {
      return this.#verify(directory);
    }
    const actual = `sha256:${sha256}` as Digest;
    if (actual !== this.#digest) return { state: 'wrong', actual };
    return { state: 'right', size, ...(etag !== undefined && { etag }) };
  }

  /** Take a wrong copy of ours away again. */
  async #undo(directory: string): Promise<void> {
    const { store, root, signal } = this.#context;
    const key = root + copyKey(directory, this.#digest);
    if (copyIn(this.#move.copies, directory)?.placeholder === true)
      await store.put(key, new Uint8Array(), signal);
    else await store.delete(key, signal);
  }

  /** Take away what an earlier attempt copied from an object that was not right itself. */
  async #undoWrong(): Promise<void> {
    const { copies, absent, ours } = this.#move;
    for (const { directory, placeholder } of copies) {
      if (placeholder || ours?.has(directory) !== true || !absent.includes(directory)) continue;
      if ((await this.#verify(directory)).state === 'wrong') await this.#undo(directory);
    }
  }

  /** Leave alone what will be deleted or emptied, but is not the content that is kept elsewhere. */
  async #checkBeforeLoss(size: number): Promise<void> {
    const { copies, content, absent, placeholders, ours } = this.#move;
    if (this.#steps.isSettled) return;
    for (const copy of copies) {
      const { directory } = copy;
      const goes = absent.includes(directory) || placeholders.includes(directory);
      if (copy.placeholder || !goes || content.includes(directory)) continue;
      if (ours?.has(directory) === true) continue;
      if (this.#proven.some((one) => one === copy || sameBytes(one, copy))) continue;
      const verdict = copy.size === size ? await this.#verify(directory) : { state: 'wrong' };
      if (verdict.state === 'wrong') this.#keep.add(directory);
    }
  }

  #isRight(copy: BlobCopy, { size, etag }: { size: number; etag?: string }): void {
    this.#size = size;
    if (!this.#proven.includes(copy)) this.#proven.push(copy);
    if (this.#move.content.includes(copy.directory)) this.#at.set(copy.directory, etag);
  }

  #verify(directory: string): Promise<Verdict> {
    const { store, root, signal } = this.#context;
    return verify(store, root + copyKey(directory, this.#digest), this.#digest, signal);
  }
}
