import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Source } from '../source.js';
import type { S3Access } from './access.js';
import { trustedCertificates } from './certificates.js';
import { RequestHandler } from './request-handler.js';
import type * as usedSdk from './sdk.js';

/** The SDK as far as we use it, imported only when a bucket is opened: it takes long to start. */
export type Sdk = typeof usedSdk;

const CONNECT_MS = 5_000;
/** Servers close idle connections sooner or later, most after 5 to 75 s; a lost one costs a retry. */
const IDLE_MS = 30_000;
/** A last resort: the deadline wrapper notices a stalled transfer earlier. */
const SILENCE_MS = 120_000;
const ATTEMPTS = 3;
const FALLBACK_REGION = 'us-east-1';

/** How a bucket is opened, beside what its source says. */
export interface ClientOptions {
  /** Sockets at most. */
  readonly connections: number;
  readonly access?: S3Access;
}

/** The SDK, a client of it, and what the client sends its requests with. */
export interface OpenClient {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly handler: RequestHandler;
}

/** The SDK and a client for `source`. Reads configuration files; makes no request. */
export async function openClient(
  source: S3Source,
  { connections, access = {} }: ClientOptions,
): Promise<OpenClient> {
  // The SDK would print a warning about Node 20 into the user's terminal.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const sdk = await import('./sdk.js');
  const ca = source.ca === undefined ? {} : { ca: await trustedCertificates(source.ca) };
  const handler = new RequestHandler({
    connections,
    connectMs: CONNECT_MS,
    silenceMs: SILENCE_MS,
    idleMs: IDLE_MS,
    ...ca,
    skipVerify: access.skipVerify === true,
  });
  const client = new sdk.S3Client({
    ...(source.endpoint !== undefined && { endpoint: source.endpoint }),
    ...(source.profile !== undefined && { profile: source.profile }),
    ...(source.anonymous && UNSIGNED),
    ...(access.credentials !== undefined && { credentials: access.credentials }),
    region: source.region ?? (await configuredRegion(sdk, source.profile)),
    forcePathStyle: source.pathStyle,
    maxAttempts: ATTEMPTS,
    retryMode: 'standard',
    // The checksums that newer SDKs add break other servers, and guard no ranged read.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: handler,
  });
  for (const name of UNUSED_MIDDLEWARE) client.middlewareStack.remove(name);
  return { sdk, client, handler };
}

/**
 * Parts of the SDK that do nothing here and cost a quarter of its CPU per request: a log that nobody
 * reads, a user agent of 150 characters, the tracing of Lambda functions that call each other,
 * following a bucket to another region, `Expect: 100-continue`.
 */
const UNUSED_MIDDLEWARE = [
  'loggerMiddleware',
  'getUserAgentMiddleware',
  'recursionDetectionMiddleware',
  'regionRedirectMiddleware',
  'addExpectContinueMiddleware',
];

/** Requests leave as they are built; without credentials here the SDK would search for some. */
const UNSIGNED: Pick<S3ClientConfig, 'signer' | 'credentials'> = {
  signer: { sign: (request) => Promise.resolve(request) },
  credentials: { accessKeyId: '', secretAccessKey: '' },
};

/** The region of the environment or of the profile; many servers do not care. */
async function configuredRegion(sdk: Sdk, profile: string | undefined): Promise<string> {
  const probe = new sdk.S3Client(profile === undefined ? {} : { profile });
  try {
    return await probe.config.region();
  } catch {
    return FALLBACK_REGION;
  } finally {
    probe.destroy();
  }
}
