import type { S3Client } from '@aws-sdk/client-s3';
import { isStoreError, StoreError } from '../errors.js';
import type {
  CopyOptions,
  CopyResult,
  DeleteFailure,
  ObjectInfo,
  UploadInFlight,
  WritingCapabilities,
} from '../object-store.js';
import type { Sdk } from './client.js';
import { s3Failure, type RequestContext } from './failures.js';
import { addContentMd5 } from './content-md5.js';
import { copyInParts } from './multipart-copy.js';
import { abortable, answerOf } from './request.js';
import { listUploads } from './uploads.js';

/** What S3 allows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const LARGEST_COPY = 5 * 1024 ** 3;
/** 10,000 parts of this length are more than the largest object there may be. */
const COPY_PART = 1024 ** 3;

export interface S3WriterOptions {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly copyChecksum: boolean;
  readonly context: (
    verb: RequestContext['verb'],
    key: string,
    conditional?: boolean,
  ) => RequestContext;
  readonly largestCopy?: number;
  readonly copyPart?: number;
}

/** The writing verbs of a bucket. */
export class S3Writer {
  readonly capabilities: Omit<WritingCapabilities, 'conditionalGet' | 'serverSideCopy'>;
  readonly #options: S3WriterOptions;

  constructor(options: S3WriterOptions) {
    this.#options = options;
    const { copyChecksum, largestCopy = LARGEST_COPY, copyPart = COPY_PART } = options;
    this.capabilities = { conditionalWrite: true, copyChecksum, largestCopy, copyPart };
  }

  async put(
    key: string,
    body: Uint8Array,
    { signal, ifAbsent = false }: { signal: AbortSignal | undefined; ifAbsent?: boolean },
  ): Promise<ObjectInfo> {
    const { sdk, client, bucket, context } = this.#options;
    const command = new sdk.PutObjectCommand({
      Bucket: bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
      ...(ifAbsent && { IfNoneMatch: '*' }),
    });
    const answer = client.send(command, abortable(signal));
    const { ETag } = await answerOf(answer, context('write', key, ifAbsent), signal);
    return { key, size: body.length, ...(ETag !== undefined && { etag: ETag }) };
  }

  /** As `put`, unless the key exists. Servers without conditional PUT are asked first instead. */
  async putIfAbsent(
    key: string,
    body: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ObjectInfo> {
    try {
      return await this.put(key, body, { signal, ifAbsent: true });
    } catch (error) {
      if (!isNotImplemented(error)) throw error;
    }
    const { sdk, client, bucket, context } = this.#options;
    const command = new sdk.HeadObjectCommand({ Bucket: bucket, Key: key });
    try {
      await answerOf(client.send(command, abortable(signal)), context('look at', key), signal);
    } catch (error) {
      if (!isStoreError(error, 'NotFound')) throw error;
      return this.put(key, body, { signal });
    }
    const message = `Cannot write "${key}" in ${context('write', key).store}: it exists already.`;
    throw new StoreError('PreconditionFailed', message);
  }

  async copy(from: string, to: string, { size = 0, signal }: CopyOptions): Promise<CopyResult> {
    const { sdk, client, bucket, context, copyChecksum } = this.#options;
    const source = `${bucket}/${from.split('/').map(encodeURIComponent).join('/')}`;
    const about = context('copy', from);
    const { largestCopy, copyPart } = this.capabilities;
    if (size > largestCopy) {
      await copyInParts(
        { sdk, client, bucket, source, to, size, partSize: copyPart, signal },
        about,
      );
      return {};
    }
    const command = new sdk.CopyObjectCommand({
      Bucket: bucket,
      Key: to,
      CopySource: source,
      ...(copyChecksum && { ChecksumAlgorithm: 'SHA256' }),
    });
    const output = await answerOf(client.send(command, abortable(signal)), about, signal);
    const result = output.CopyObjectResult;
    const { ETag: etag, ChecksumSHA256: checksum, ChecksumType: type } = result ?? {};
    const isWhole = checksum !== undefined && type !== 'COMPOSITE';
    return {
      // Some servers leave the quotes out here, and only here.
      ...(etag !== undefined && { etag: etag.startsWith('"') ? etag : `"${etag}"` }),
      ...(isWhole && { sha256: Buffer.from(checksum, 'base64').toString('hex') }),
    };
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    const { sdk, client, bucket, context } = this.#options;
    const command = new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key });
    try {
      await answerOf(client.send(command, abortable(signal)), context('delete', key), signal);
    } catch (error) {
      // S3 says 204 for an absent key, other servers 404.
      if (!isStoreError(error, 'NotFound')) throw error;
    }
  }

  async deleteMany(
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly DeleteFailure[]> {
    if (keys.length === 0) return [];
    const { sdk, client, bucket, context } = this.#options;
    const command = new sdk.DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Objects: keys.map((key) => ({ Key: key })), Quiet: true },
    });
    addContentMd5(command);
    const about = context('delete', keys[0] ?? '');
    const output = await answerOf(client.send(command, abortable(signal)), about, signal);
    return (output.Errors ?? []).flatMap(({ Key, Code, Message }) => {
      if (Key === undefined || Code === 'NoSuchKey') return [];
      // As a DELETE of this key alone would have failed.
      const status = Code === 'AccessDenied' ? 403 : 500;
      const failure = Object.assign(new Error(Message ?? Code ?? 'no reason given'), {
        name: Code ?? 'Error',
        $metadata: { httpStatusCode: status },
      });
      return [{ key: Key, error: s3Failure(failure, context('delete', Key)) }];
    });
  }

  uploads(prefix: string, signal?: AbortSignal): Promise<readonly UploadInFlight[]> {
    const { context } = this.#options;
    const about = context('list the uploads of', prefix);
    return listUploads({ ...this.#options, prefix, signal }, about);
  }

  async abortUpload({ key, id }: UploadInFlight, signal?: AbortSignal): Promise<void> {
    const { sdk, client, bucket, context } = this.#options;
    const command = new sdk.AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: id });
    const about = context('give up an upload of', key);
    try {
      await answerOf(client.send(command, abortable(signal)), about, signal);
    } catch (error) {
      if (!isStoreError(error, 'NotFound')) throw error;
    }
  }
}

/** Whether the server says that it does not know what it was asked for. */
function isNotImplemented(error: unknown): boolean {
  const { cause } = error as { cause?: { $metadata?: { httpStatusCode?: number } } };
  return isStoreError(error, 'Failed') && cause?.$metadata?.httpStatusCode === 501;
}
