import type { S3Client } from '@aws-sdk/client-s3';
import type { Sdk } from './client.js';
import type { RequestContext } from './failures.js';
import { abortable, answerOf } from './request.js';

/** Parts copied at once; the server does the work. */
const PARTS_AT_ONCE = 4;

export interface PartsCopy {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  /** `bucket/key`, encoded as a URL's path. */
  readonly source: string;
  readonly to: string;
  readonly size: number;
  readonly partSize: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copy an object that is too large for one request, part after part, within the server. Nothing is
 * to be seen under `to` before it is complete; a copy that fails is given up at the server, too.
 * @throws StoreError
 */
export async function copyInParts(copy: PartsCopy, context: RequestContext): Promise<void> {
  const { sdk, client, bucket, to, signal } = copy;
  const target = { Bucket: bucket, Key: to };
  const begin = new sdk.CreateMultipartUploadCommand(target);
  const { UploadId } = await answerOf(client.send(begin, abortable(signal)), context, signal);
  try {
    const parts = await copyParts(copy, UploadId, context);
    const finish = new sdk.CompleteMultipartUploadCommand({
      ...target,
      UploadId,
      MultipartUpload: { Parts: parts },
    });
    await answerOf(client.send(finish, abortable(signal)), context, signal);
  } catch (error) {
    const abort = new sdk.AbortMultipartUploadCommand({ ...target, UploadId });
    // What remains is found among the uploads under way; the reason of the failure matters more.
    await client.send(abort).catch(() => undefined);
    throw error;
  }
}

async function copyParts(
  { sdk, client, bucket, source, to, size, partSize, signal }: PartsCopy,
  uploadId: string | undefined,
  context: RequestContext,
): Promise<{ PartNumber: number; ETag: string | undefined }[]> {
  const parts = new Array<{ PartNumber: number; ETag: string | undefined }>(
    Math.ceil(size / partSize),
  );
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < parts.length && !failed) {
      const part = next;
      next += 1;
      const first = part * partSize;
      const last = Math.min(size, first + partSize) - 1;
      const command = new sdk.UploadPartCopyCommand({
        Bucket: bucket,
        Key: to,
        UploadId: uploadId,
        PartNumber: part + 1,
        CopySource: source,
        CopySourceRange: `bytes=${first}-${last}`,
      });
      try {
        const output = await answerOf(client.send(command, abortable(signal)), context, signal);
        parts[part] = { PartNumber: part + 1, ETag: output.CopyPartResult?.ETag };
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARTS_AT_ONCE }, worker));
  return parts;
}
