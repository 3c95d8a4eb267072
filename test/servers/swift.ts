import { startServer, type S3Server } from './server.js';

/** OpenStack Swift with its s3api middleware; takes about 5 s. */
export function startSwift(): Promise<S3Server> {
  return startServer('swift.sh');
}
