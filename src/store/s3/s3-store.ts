import type { GetObjectCommandOutput, HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { formatSource, type S3Source } from '../source.js';
import type {
  CopyOptions,
  CopyResult,
  DeleteFailure,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  UploadInFlight,
  WritableObjectStore,
  WritingCapabilities,
} from '../object-store.js';
import type { S3Access } from './access.js';
import { receiveBody } from './body.js';
import { openClient, type ClientOptions, type OpenClient, type Sdk } from './client.js';
import { subject, type RequestContext } from './failures.js';
import { readPage } from './list.js';
import { ObjectGets } from './object-gets.js';
import { answeredRange } from './range.js';
import { abortable, answerOf } from './request.js';
import { S3Writer } from './writer.js';

/**
 * A bucket of any S3-compatible server, through the AWS SDK: its credential chain, its signing, its
 * retries (three attempts). The writing verbs are {@link S3Writer}'s.
 */
export class S3Store implements WritableObjectStore {
  readonly name: string;
  readonly capabilities: WritingCapabilities;
  readonly #bucket: string;
  readonly #anonymous: boolean;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #gets: ObjectGets;
  readonly #writer: S3Writer;

  private constructor(
    source: S3Source,
    { sdk, client, handler }: OpenClient,
    access: S3Access | undefined,
  ) {
    this.name = formatSource({ ...source, prefix: '' });
    this.#bucket = source.bucket;
    this.#anonymous = source.anonymous;
    this.#sdk = sdk;
    this.#client = client;
    this.#gets = new ObjectGets(source.bucket, { sdk, client, handler });
    this.#writer = new S3Writer({
      sdk,
      client,
      bucket: source.bucket,
      // AWS itself; other servers may take the request and answer no checksum.
      copyChecksum: source.endpoint === undefined,
      context: (verb, key, conditional) => this.#context(verb, key, conditional),
      ...access?.copyLimits,
    });
    this.capabilities = {
      conditionalGet: true,
      serverSideCopy: true,
      ...this.#writer.capabilities,
    };
  }

  /**
   * Load the SDK and its configuration; no request is made.
   * @throws SourceError when the certificates of `source.ca` cannot be used.
   */
  static async open(source: S3Source, options: ClientOptions): Promise<S3Store> {
    return new S3Store(source, await openClient(source, options), options.access);
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
    const question = {
      key,
      range: range && `bytes=${range.offset}-${range.offset + range.length - 1}`,
      ifMatch,
      ifNoneMatch,
    };
    const answer = this.#gets.send(question, signal);
    const { head, body: stream } = await this.#send(answer, context, signal);
    const what = `"${key}" in ${this.name}`;
    try {
      const { size, offset, length, ignored } = answeredRange(head, range, what);
      const skip = ignored ? offset : 0;
      const { body, readInto, cancel } = receiveBody({
        stream,
        skip,
        length,
        ignoredRange: ignored,
        what,
        signal,
      });
      return { info: readHead(key, size, head), offset, length, body, readInto, cancel };
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

  put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo> {
    return this.#writer.put(key, body, { signal });
  }

  putIfAbsent(key: string, body: Uint8Array, signal?: AbortSignal): Promise<ObjectInfo> {
    return this.#writer.putIfAbsent(key, body, signal);
  }

  copy(from: string, to: string, options: CopyOptions = {}): Promise<CopyResult> {
    return this.#writer.copy(from, to, options);
  }

  delete(key: string, signal?: AbortSignal): Promise<void> {
    return this.#writer.delete(key, signal);
  }

  deleteMany(keys: readonly string[], signal?: AbortSignal): Promise<readonly DeleteFailure[]> {
    return this.#writer.deleteMany(keys, signal);
  }

  uploads(prefix: string, signal?: AbortSignal): Promise<readonly UploadInFlight[]> {
    return this.#writer.uploads(prefix, signal);
  }

  abortUpload(upload: UploadInFlight, signal?: AbortSignal): Promise<void> {
    return this.#writer.abortUpload(upload, signal);
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #context(verb: RequestContext['verb'], key: string, conditional = false): RequestContext {
    const { name: store } = this;
    return { verb, key, bucket: this.#bucket, store, anonymous: this.#anonymous, conditional };
  }

  #send<T>(
    answer: Promise<T>,
    context: RequestContext,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return answerOf(answer, context, signal);
  }
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
