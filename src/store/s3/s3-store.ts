import type { GetObjectCommandOutput, HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { StoreError } from '../errors.js';
import { formatSource, type S3Source } from '../source.js';
import type {
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  WritableObjectStore,
} from '../object-store.js';
import type { S3Access } from './access.js';
import { receiveBody } from './body.js';
import { openClient, type Sdk } from './client.js';
import { s3Failure, subject, type RequestContext } from './failures.js';
import { readPage } from './list.js';
import { answeredRange } from './range.js';
import { readBodyInto } from '../read-into.js';

/**
 * A bucket of any S3-compatible server, through the AWS SDK: its credential chain, its signing, its
 * retries (three attempts). `put` sends one request (S3 allows 5 GiB) and so does `copy` (5 GiB).
 */
export class S3Store implements WritableObjectStore {
  readonly name: string;
  readonly capabilities = { conditionalGet: true, serverSideCopy: true };
  readonly #bucket: string;
  readonly #anonymous: boolean;
  readonly #sdk: Sdk;
  readonly #client: S3Client;

  private constructor(source: S3Source, { sdk, client }: { sdk: Sdk; client: S3Client }) {
    this.name = formatSource({ ...source, prefix: '' });
    this.#bucket = source.bucket;
    this.#anonymous = source.anonymous;
    this.#sdk = sdk;
    this.#client = client;
  }

  /**
   * Load the SDK and its configuration; no request is made.
   * @throws SourceError when the certificates of `source.ca` cannot be used.
   */
  static async open(source: S3Source, access?: S3Access): Promise<S3Store> {
    return new S3Store(source, await openClient(source, access));
  }

  async list({ prefix, delimiter, token, limit = 1000, signal }: ListOptions): Promise<ListPage> {
    const context = this.#context('list', prefix);
    const command = new this.#sdk.ListObjectsV2Command({
      Bucket: this.#bucket,
      Prefix: prefix,
      Delimiter: delimiter,
      ContinuationToken: token,
      MaxKeys: Math.max(1, Math.min(limit, 1000)),
      // XML cannot say every key.
      EncodingType: 'url',
    });
    const output = await this.#send(this.#client.send(command, abortable(signal)), context, signal);
    return readPage(output, token, subject(context));
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    const { range, ifMatch, ifNoneMatch, signal } = options;
    const conditional = ifMatch !== undefined || ifNoneMatch !== undefined;
    const context = this.#context('read', key, conditional);
    const command = new this.#sdk.GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
      IfMatch: ifMatch,
      IfNoneMatch: ifNoneMatch,
    });
    const output = await this.#send(this.#client.send(command, abortable(signal)), context, signal);
    const what = `"${key}" in ${this.name}`;
    // Node's handler gives a Readable; the SDK's type also allows a browser's streams.
    const stream = output.Body as Readable;
    try {
      const { size, offset, length, ignored } = answeredRange(output, range, what);
      const skip = ignored ? offset : 0;
      const { body, cancel } = receiveBody({
        stream,
        skip,
        length,
        ignoredRange: ignored,
        what,
        signal,
      });
      const readInto = readBodyInto.bind(undefined, body);
      return { info: readHead(key, size, output), offset, length, body, readInto, cancel };
    } catch (error) {
      stream.on('error', () => undefined).destroy();
      throw error;
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<ObjectInfo> {
    const context = this.#context('look at', key);
    const command = new this.#sdk.HeadObjectCommand({ Bucket: this.#bucket, Key: key });
    const output = await this.#send(this.#client.send(command, abortable(signal)), context, signal);
    const { size } = answeredRange(output, undefined, `"${key}" in ${this.name}`);
    return readHead(key, size, output);
  }

  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo> {
    const context = this.#context('write', key);
    const command = new this.#sdk.PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
    });
    const { ETag } = await this.#send(
      this.#client.send(command, abortable(signal)),
      context,
      signal,
    );
    return { key, size: body.length, ...(ETag !== undefined && { etag: ETag }) };
  }

  async copy(from: string, to: string, signal?: AbortSignal): Promise<void> {
    const source = from.split('/').map(encodeURIComponent).join('/');
    const command = new this.#sdk.CopyObjectCommand({
      Bucket: this.#bucket,
      Key: to,
      CopySource: `${this.#bucket}/${source}`,
    });
    const context = this.#context('copy', from);
    await this.#send(this.#client.send(command, abortable(signal)), context, signal);
  }

  async delete(key: string, signal?: AbortSignal): Promise<void> {
    const context = this.#context('delete', key);
    const command = new this.#sdk.DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
    try {
      await this.#send(this.#client.send(command, abortable(signal)), context, signal);
    } catch (error) {
      // S3 says 204 for an absent key, other servers 404.
      if (!(error instanceof StoreError && error.code === 'NotFound')) throw error;
    }
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #context(verb: RequestContext['verb'], key: string, conditional = false): RequestContext {
    const { name: store } = this;
    return { verb, key, bucket: this.#bucket, store, anonymous: this.#anonymous, conditional };
  }

  /** Wait for an answer, but never longer than `signal` allows: the SDK's pauses ignore it. */
  async #send<T>(
    answer: Promise<T>,
    context: RequestContext,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const cleanup = new AbortController();
    try {
      if (signal === undefined) return await answer;
      const aborted = new Promise<never>((_, reject) => {
        const stop = () => {
          reject(new Error('The request was aborted.', { cause: signal.reason }));
        };
        if (signal.aborted) stop();
        else signal.addEventListener('abort', stop, { signal: cleanup.signal });
      });
      return await Promise.race([answer, aborted]);
    } catch (error) {
      if (signal?.aborted !== true) throw s3Failure(error, context);
      const message = `The request to ${subject(context)} was aborted.`;
      throw new StoreError('Aborted', message, { cause: error });
    } finally {
      cleanup.abort();
    }
  }
}

function abortable(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal };
}

function readHead(
  key: string,
  size: number,
  output: Pick<
    GetObjectCommandOutput & HeadObjectCommandOutput,
    'ETag' | 'LastModified' | 'StorageClass' | 'ContentType'
  >,
): ObjectInfo {
  const { ETag, LastModified, StorageClass, ContentType } = output;
  return {
    key,
    size,
    ...(ETag !== undefined && { etag: ETag }),
    ...(LastModified !== undefined && { lastModified: LastModified.getTime() }),
    ...(StorageClass !== undefined && { storageClass: StorageClass }),
    ...(ContentType !== undefined && { contentType: ContentType }),
  };
}
