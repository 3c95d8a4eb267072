/** A source that cannot be used as written; the message is for the user and shows an example. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
}
