/**
 * `GetResult.readInto` in terms of `GetResult.body`, for drivers that have no shorter way.
 * @throws whatever `body` throws
 */
export async function readBodyInto(
  body: AsyncIterable<Uint8Array>,
  target: Uint8Array,
  arrived?: (bytes: number) => void,
): Promise<void> {
  let filled = 0;
  for await (const chunk of body) {
    target.set(chunk, filled);
    filled += chunk.byteLength;
    arrived?.(filled);
  }
}
