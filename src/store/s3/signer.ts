import type { S3Client } from '@aws-sdk/client-s3';
import type { SdkRequest, SdkResponse } from './request-handler.js';
import { SIGV4, type Signing } from './request-template.js';

/** A signed request, and what is to be called when it succeeded. */
export interface Signed {
  readonly request: SdkRequest;
  /** Lets the SDK learn from a good answer how far this host's clock is off. */
  readonly succeeded: (response: SdkResponse) => void;
}

/** A request before it is signed, as the SDK wants it. */
export type Unsigned = Parameters<SdkSigner['sign']>[0];

type SdkSigner = S3Client['config']['httpAuthSchemes'][number]['signer'];

/** Signs a request; rejects with what the SDK's credential chain or its signer throws. */
export type Sign = (request: Unsigned) => Promise<Signed>;

/**
 * The SDK's signing of requests, with its credentials and its correction of the clock, without what
 * the SDK does for each request around it: it makes a signer from a copy of its whole configuration.
 * @returns undefined when the client has no signature version 4
 */
export async function openSigner(client: S3Client, signing: Signing): Promise<Sign | undefined> {
  const { config } = client;
  const { region: signingRegion, service: signingName, authScheme } = signing;
  const scheme = config.httpAuthSchemes.find(({ schemeId }) => schemeId === SIGV4);
  if (scheme === undefined) return undefined;
  const made = await config.signer({
    ...authScheme,
    name: 'sigv4',
    signingName,
    signingRegion,
    properties: {},
  });
  // What the SDK's signer reads and writes of its configuration.
  const seen = {
    signer: () => Promise.resolve(made),
    disableClockSkewCorrection: config.disableClockSkewCorrection,
    get systemClockOffset() {
      return config.systemClockOffset;
    },
    set systemClockOffset(ms: number) {
      config.systemClockOffset = ms;
    },
  };
  const authSchemes = [authScheme];
  const context = { authSchemes, endpointV2: { properties: { authSchemes } } };
  return async (request) => {
    // Its own for each request: the SDK notes there when it was sent.
    const properties = { config: seen, context, signingRegion, signingName };
    // It asks the client for credentials by itself.
    const signed = await scheme.signer.sign(request, {}, properties);
    return {
      request: signed,
      succeeded: (response) => scheme.signer.successHandler?.(response, properties),
    };
  };
}
