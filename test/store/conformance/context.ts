import { expect } from 'vitest';
import { StoreError, type StoreErrorCode } from '../../../src/store/errors.js';
import type {
  GetResult,
  ListOptions,
  WritableObjectStore,
} from '../../../src/store/object-store.js';
import type { Differences, RunningTarget } from '../targets.js';

/** What every part of the suite works on; the store and the target exist once tests run. */
export interface Context {
  readonly store: WritableObjectStore;
  readonly target: RunningTarget;
  readonly differences: Differences;
}

/** `length` bytes in which every position can be told from its neighbours. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff);
}

/** A whole body, checked against the length that was announced. */
export async function readAll(result: GetResult): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of result.body) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  expect(body.length).toBe(result.length);
  return body;
}

/** The `StoreError` that a request fails with; its message must be a sentence. */
export async function failureOf(request: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  const failure = error as StoreError;
  expect(failure.message).toMatch(/^[A-Z"].{10,}\.$/s);
  return failure;
}

export async function expectFailure(
  request: Promise<unknown>,
  code: StoreErrorCode,
  message = /./,
): Promise<void> {
  const failure = await failureOf(request);
  expect({ code: failure.code, message: failure.message }).toEqual({
    code,
    message: expect.stringMatching(message) as string,
  });
}

/** Every page of a listing: keys and prefixes in the order they came, and the number of pages. */
export async function listAll(store: WritableObjectStore, options: ListOptions) {
  const keys: string[] = [];
  const prefixes: string[] = [];
  const pages: string[][] = [];
  let token: string | undefined;
  do {
    const page = await store.list({ ...options, ...(token !== undefined && { token }) });
    const names = [...page.objects.map(({ key }) => key), ...page.prefixes];
    expect(names.length).toBeLessThanOrEqual(options.limit ?? 1000);
    keys.push(...page.objects.map(({ key }) => key));
    prefixes.push(...page.prefixes);
    pages.push(sortBytewise(names));
    token = page.next;
  } while (token !== undefined && pages.length < 1000);
  return { keys, prefixes, pages };
}

export function sortBytewise(names: readonly string[]): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
