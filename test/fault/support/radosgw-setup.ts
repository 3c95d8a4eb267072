import type { TestProject } from 'vitest/node';
import { startRadosgw } from '../../servers/radosgw.js';
import type { S3Server } from '../../servers/server.js';

/** What tests are told about the server. */
export type Radosgw = Pick<S3Server, 'endpoint' | 'accessKey' | 'secretKey'>;

declare module 'vitest' {
  interface ProvidedContext {
    radosgw: Radosgw;
  }
}

/** One radosgw for all files of the project; each makes buckets of its own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startRadosgw();
  const { endpoint, accessKey, secretKey } = server;
  project.provide('radosgw', { endpoint, accessKey, secretKey });
  return () => server.stop();
}
