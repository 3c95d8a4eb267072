import type { S3Client } from '@aws-sdk/client-s3';
import type { UploadInFlight } from '../object-store.js';
import type { Sdk } from './client.js';
import type { RequestContext } from './failures.js';
import { abortable, answerOf } from './request.js';

export interface UploadsRequest {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Every multipart upload under way below a prefix, page after page.
 * @throws StoreError
 */
export async function listUploads(
  { sdk, client, bucket, prefix, signal }: UploadsRequest,
  context: RequestContext,
): Promise<UploadInFlight[]> {
  const uploads: UploadInFlight[] = [];
  let after: { KeyMarker: string; UploadIdMarker: string | undefined } | undefined;
  do {
    const command = new sdk.ListMultipartUploadsCommand({
      Bucket: bucket,
      ...(prefix !== '' && { Prefix: prefix }),
      ...after,
    });
    const page = await answerOf(client.send(command, abortable(signal)), context, signal);
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue;
      // Servers exist that do not look at the prefix.
      if (!Key.startsWith(prefix)) continue;
      const startedAt = Initiated?.getTime();
      uploads.push({ key: Key, id: UploadId, ...(startedAt !== undefined && { startedAt }) });
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    const goesOn = IsTruncated === true && NextKeyMarker !== undefined;
    const repeats =
      NextKeyMarker === after?.KeyMarker && NextUploadIdMarker === after?.UploadIdMarker;
    after =
      goesOn && !repeats
        ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
        : undefined;
  } while (after !== undefined);
  return uploads;
}
