/**
 * What went wrong with an S3 request, in the words of {@link StoreError}. Error names are those of
 * the S3 API (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html); servers that
 * name an error otherwise are understood by their HTTP status.
 */
import { StoreError, type StoreErrorCode } from '../errors.js';
import { networkFailure } from './network-failures.js';

/** What was asked, for the sentence. */
export interface RequestContext {
  readonly verb:
    | 'list'
    | 'list the uploads of'
    | 'read'
    | 'look at'
    | 'write'
    | 'copy'
    | 'delete'
    | 'give up an upload of';
  /** The key, or the prefix of a listing. */
  readonly key: string;
  readonly bucket: string;
  /** The source without its prefix, as `s3://bucket?endpoint=…`. */
  readonly store: string;
  readonly anonymous: boolean;
  /** The request had an `ifMatch` or an `ifNoneMatch`. */
  readonly conditional: boolean;
}

/** The parts of the SDK's errors that are used here; any may be absent. */
interface SdkError {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  /** The region a bucket is in, where the server says so. */
  readonly region: string | undefined;
}

const WRONG_CREDENTIALS = new Set([
  'SignatureDoesNotMatch',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'InvalidSecurity',
  'NotSignedUp',
]);
const EXPIRED = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'TokenRefreshRequired',
]);
const SLOW_DOWN = new Set(['SlowDown', 'Throttling', 'ThrottlingException', 'RequestTimeout']);

const SET_CREDENTIALS =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with "profile=…" in the source';

/** Any failure of a request as a {@link StoreError}; a `StoreError` passes unchanged. */
export function s3Failure(error: unknown, context: RequestContext): StoreError {
  if (error instanceof StoreError) return error;
  const network = networkFailure(error);
  const [code, sentence] = network ?? explain(readSdkError(error), context);
  return new StoreError(code, `Cannot ${subject(context)}: ${sentence}.`, { cause: error });
}

/** "read "k" in s3://b": what completes "Cannot …". */
export function subject({ verb, key, store }: RequestContext): string {
  return key === '' ? `${verb} ${store}` : `${verb} "${key}" in ${store}`;
}

function explain(error: SdkError, context: RequestContext): [StoreErrorCode, string] {
  return explainName(error, context) ?? explainStatus(error, context);
}

function explainName(
  error: SdkError,
  context: RequestContext,
): [StoreErrorCode, string] | undefined {
  const { name } = error;
  if (/Credentials?ProviderError$|TokenProviderError$/.test(name)) {
    return ['BadCredentials', missingCredentials(error)];
  }
  if (WRONG_CREDENTIALS.has(name)) {
    return [
      'BadCredentials',
      `the server does not accept the credentials (${name}): check the access key and its secret`,
    ];
  }
  if (EXPIRED.has(name)) {
    return ['BadCredentials', `the credentials have expired (${name}): get new ones and try again`];
  }
  if (name === 'RequestTimeTooSkewed') {
    return [
      'BadCredentials',
      "this host's clock differs too much from the server's: set the clock",
    ];
  }
  if (name === 'InvalidObjectState') {
    return [
      'Archived',
      'the object is in an archive storage class: restore it first, with aws s3api restore-object',
    ];
  }
  if (name === 'NoSuchBucket') return ['NoSuchBucket', noSuchBucket(context)];
  if (SLOW_DOWN.has(name)) return ['Unavailable', `the server asks to slow down (${name})`];
  return undefined;
}

function explainStatus(error: SdkError, context: RequestContext): [StoreErrorCode, string] {
  const { name, status, region } = error;
  const detail = /^(Unknown|UnknownError|Error|\d+)$/.test(name) ? '' : ` (${name})`;
  if (region !== undefined && (status === 301 || status === 307 || status === 400)) {
    return [
      'Failed',
      `the bucket is in the region "${region}": write region=${region} in the source`,
    ];
  }
  switch (status) {
    case 304:
      if (!context.conditional) break;
      return ['NotModified', 'the object is still that version'];
    // A write that lost against another one (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
    case 409:
      if (!context.conditional || context.verb !== 'write') break;
      return ['PreconditionFailed', 'another request is writing it'];
    case 412:
      if (!context.conditional) break;
      if (context.verb === 'write') return ['PreconditionFailed', 'the object exists already'];
      return ['PreconditionFailed', 'the object is no longer that version'];
    case 416:
      return ['RangeNotSatisfiable', 'the object ends before the range begins'];
    case 301:
    case 307:
      return [
        'Failed',
        `the server says that the bucket is elsewhere${detail}: name its region with "region=…" and ` +
          'its own endpoint in the source',
      ];
    case 401:
      return ['BadCredentials', `the server wants to know who asks${detail}: ${SET_CREDENTIALS}`];
    case 403:
      return ['AccessDenied', denied(context)];
    case 404:
      return context.verb === 'list' || context.verb === 'list the uploads of'
        ? ['NoSuchBucket', noSuchBucket(context)]
        : ['NotFound', 'there is no such object'];
    case undefined:
    default:
  }
  if (status === 429 || (status !== undefined && status >= 500 && status !== 501)) {
    return [
      'Unavailable',
      `the server fails or is overloaded, it answered ${status}${detail}: try again later`,
    ];
  }
  // Swift hands unsigned requests to its own API, which answers 412.
  if ((status === 400 || status === 412) && context.anonymous) {
    return [
      'AccessDenied',
      `the server does not serve anonymous requests${detail}: remove "anonymous=true" and ${SET_CREDENTIALS}`,
    ];
  }
  if (status === undefined || status < 300) {
    return [
      'Failed',
      `the answer is not that of an S3 server (${error.message}): check the address in "endpoint"`,
    ];
  }
  return ['Failed', `the server answered ${status}${detail}: ${error.message}`];
}

function denied({ verb, anonymous }: RequestContext): string {
  if (verb === 'list') {
    return anonymous
      ? 'the server denies listing the bucket to anonymous requests'
      : 'the server denies listing the bucket: the credentials need s3:ListBucket';
  }
  if (verb === 'list the uploads of') {
    return (
      'the server denies it: the credentials need s3:ListBucketMultipartUploads, since an upload ' +
      'under way shows that a registry is at work'
    );
  }
  const right = {
    read: 's3:GetObject',
    'look at': 's3:GetObject',
    write: 's3:PutObject',
    copy: 's3:GetObject or s3:PutObject',
    delete: 's3:DeleteObject',
    'give up an upload of': 's3:AbortMultipartUpload',
  }[verb];
  const who = anonymous ? 'anonymous requests' : 'these credentials';
  return (
    `the server denies it: either ${who} lack ${right}, or there is no such object and they lack ` +
    's3:ListBucket (without that S3 does not tell the two apart)'
  );
}

function missingCredentials({ message }: SdkError): string {
  return (
    `no usable credentials were found: ${SET_CREDENTIALS}, or write "anonymous=true" in it for a ` +
    `public bucket (the SDK says: ${message})`
  );
}

function noSuchBucket({ bucket }: RequestContext): string {
  return (
    `there is no bucket "${bucket}" at this server: check its name, and "endpoint" and "region" in ` +
    'the source'
  );
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/[.\s]+$/, '');
}

function readSdkError(error: unknown): SdkError {
  const get = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const status = get(get(error, '$metadata'), 'httpStatusCode');
  const headers = get(get(error, '$response'), 'headers');
  return {
    name: text(get(error, 'name')) ?? 'Error',
    // The SDK adds lines of advice to programmers, which are no use here.
    message: firstLine(text(get(error, 'message')) ?? String(error)),
    status: typeof status === 'number' ? status : undefined,
    region: text(get(headers, 'x-amz-bucket-region')) ?? text(get(error, 'Region')),
  };
}
