import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { ResponseBody } from '../http/response-body.js';
import type { OpenClient, Sdk } from './client.js';
import type { RequestHandler, SdkRequest, SdkResponse } from './request-handler.js';
import { EarlyOutcome, type Outcome } from './request-handler.js';
import { encodeKey, readTemplate, type RequestTemplate } from './request-template.js';
import { abortable } from './request.js';
import { openSigner, type Sign } from './signer.js';

/** What is asked of an object. */
export interface ObjectQuestion {
  readonly key: string;
  /** As the header has it. */
  readonly range: string | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** The parts of an answer that are used, as the SDK puts them, and the body. */
export interface ObjectAnswer {
  readonly head: Pick<
    GetObjectCommandOutput,
    'ContentLength' | 'ContentRange' | 'ETag' | 'LastModified' | 'StorageClass' | 'ContentType'
  >;
  readonly body: ResponseBody;
}

/** How a request is built without the SDK. */
interface DirectWay {
  readonly template: RequestTemplate;
  readonly sign: Sign;
  /** Tells the SDK's limit of retries that a request went well. */
  readonly succeeded: () => void;
}

/** A date as servers should write it (RFC 9110, 5.6.7); the SDK reads others as well. */
const PLAIN_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * The GETs of a bucket's objects. The first goes through the whole SDK, which resolves the endpoint,
 * the address of the bucket and how to sign for it. The others repeat that request for another key
 * and another range, signed by the SDK's signer: the rest of the SDK costs several times the CPU of
 * all else that is done for a request. Whatever is not a plain success is given to the SDK as the
 * outcome of its first attempt: its errors, its retries and their limits are always the SDK's.
 */
export class ObjectGets {
  readonly #bucket: string;
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #handler: Pick<RequestHandler, 'handle'>;
  #way: DirectWay | undefined;

  /** @param open a client, and what sends requests for it */
  constructor(
    bucket: string,
    open: Pick<OpenClient, 'sdk' | 'client'> & { handler: Pick<RequestHandler, 'handle'> },
  ) {
    const { sdk, client, handler } = open;
    this.#bucket = bucket;
    this.#sdk = sdk;
    this.#client = client;
    this.#handler = handler;
  }

  /**
   * The answer, whose body must be read or destroyed.
   * @throws what the SDK throws, or an error named AbortError after an abort
   */
  async send(question: ObjectQuestion, signal: AbortSignal | undefined): Promise<ObjectAnswer> {
    const way = this.#way;
    if (way === undefined) return this.#sendBySdk(question, signal);
    let request;
    try {
      request = await way.sign(fill(way.template, question));
    } catch {
      // The SDK meets the same, and says it in its own words.
      return this.#sendBySdk(question, signal);
    }
    const outcome = await this.#sendDirectly(request.request, signal);
    if ('response' in outcome) {
      const answer = readAnswer(outcome.response);
      if (answer !== undefined) {
        request.succeeded(outcome.response);
        way.succeeded();
        return answer;
      }
    } else if (signal?.aborted === true) {
      throw outcome.error;
    }
    return this.#sendBySdk(question, signal, new EarlyOutcome(outcome));
  }

  async #sendDirectly(request: SdkRequest, signal: AbortSignal | undefined): Promise<Outcome> {
    try {
      return await this.#handler.handle(request, { abortSignal: signal });
    } catch (error) {
      return { error };
    }
  }

  async #sendBySdk(
    { key, range, ifMatch, ifNoneMatch }: ObjectQuestion,
    signal: AbortSignal | undefined,
    early?: EarlyOutcome,
  ): Promise<ObjectAnswer> {
    const command = new this.#sdk.GetObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Range: range,
      IfMatch: ifMatch,
      IfNoneMatch: ifNoneMatch,
    });
    let template: RequestTemplate | undefined;
    if (this.#way === undefined) {
      command.middlewareStack.add(
        (next, context) => (args) => {
          template = readTemplate(args.request as SdkRequest, context, key);
          return next(args);
        },
        // After everything that adds to the request, before it is signed.
        { step: 'build', priority: 'low', name: 'readTemplate' },
      );
    }
    const options = { ...abortable(signal), ...(early !== undefined && { early }) };
    try {
      const head = await this.#client.send(command, options);
      // Without it, all goes on as it did.
      if (template !== undefined)
        this.#way ??= await this.#openWay(template).catch(() => undefined);
      // The SDK passes on what our request handler gave it.
      return { head, body: head.Body as unknown as ResponseBody };
    } finally {
      early?.discard();
    }
  }

  async #openWay(template: RequestTemplate): Promise<DirectWay | undefined> {
    const { config } = this.#client;
    const sign = await openSigner(this.#client, template.signing);
    if (sign === undefined) return undefined;
    const retries = await config.retryStrategy();
    if (!('recordSuccess' in retries)) return undefined;
    const token = await retries.acquireInitialRetryToken('');
    const succeeded = () => {
      retries.recordSuccess(token);
    };
    return { template, sign, succeeded };
  }
}

function fill(template: RequestTemplate, question: ObjectQuestion) {
  const { protocol, hostname, port, root, query, host } = template;
  const { key, range, ifMatch, ifNoneMatch } = question;
  return {
    method: 'GET',
    protocol,
    hostname,
    ...(port !== undefined && { port }),
    path: root + encodeKey(key),
    query: { ...query },
    headers: {
      host,
      ...(range !== undefined && { range }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
    },
  };
}

/** A plain success as the SDK would put it; undefined for everything else. */
function readAnswer({ statusCode, headers, body }: SdkResponse): ObjectAnswer | undefined {
  if (statusCode !== 200 && statusCode !== 206) return undefined;
  const length = headers['content-length'];
  const modified = headers['last-modified'];
  if (length !== undefined && !/^\d+$/.test(length)) return undefined;
  if (modified !== undefined && !PLAIN_DATE.test(modified)) return undefined;
  const date = modified === undefined ? undefined : new Date(modified);
  if (Number.isNaN(date?.getTime())) return undefined;
  const head = {
    ContentLength: length === undefined ? undefined : Number(length),
    ContentRange: headers['content-range'],
    ETag: headers['etag'],
    LastModified: date,
    StorageClass: headers['x-amz-storage-class'] as ObjectAnswer['head']['StorageClass'],
    ContentType: headers['content-type'],
  };
  return { head, body };
}
