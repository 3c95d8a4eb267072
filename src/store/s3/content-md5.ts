import type { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';

/** What the SDK hands to a middleware, as far as it is looked at here. */
interface BuiltRequest {
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/**
 * Send the `Content-MD5` that S3's API asked for with a deletion of many keys before it knew other
 * checksums, and that older servers still insist on. The SDK sends newer checksums alone.
 */
export function addContentMd5(command: DeleteObjectsCommand): void {
  command.middlewareStack.add(
    (next) => (call) => {
      const { headers, body } = call.request as BuiltRequest;
      if (typeof body === 'string' || body instanceof Uint8Array) {
        headers['content-md5'] = createHash('md5').update(body).digest('base64');
      }
      return next(call);
    },
    { step: 'build', name: 'contentMd5', priority: 'low' },
  );
}
