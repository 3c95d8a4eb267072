import { startServer, type S3Server } from './server.js';

/** Ceph's object gateway with a monitor and an in-memory OSD; takes about 12 s. */
export function startRadosgw(): Promise<S3Server> {
  return startServer('radosgw.sh');
}
