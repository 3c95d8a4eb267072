/**
 * A command, option or configuration value that cannot be used as given. The message is a full
 * sentence that names what was written and what would be right. Commands end with exit code 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
