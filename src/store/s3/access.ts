/**
 * How to get into a bucket, where it does not come from the SDK's credential chain: what a registry's
 * own configuration says. Never part of a source, of a log line or of a status.
 */
export interface S3Access {
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Do not check the server's certificate. */
  readonly skipVerify?: boolean;
  /** Other limits of copying than S3's own, in bytes; for servers with lower ones, and for tests. */
  readonly copyLimits?: { readonly largestCopy: number; readonly copyPart: number };
}
