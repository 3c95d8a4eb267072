import type { ObjectInfo } from '../store/object-store.js';

/**
 * The content type under which the distribution project's GCS driver keeps an upload in progress
 * (https://github.com/distribution/distribution/blob/main/registry/storage/driver/gcs/gcs.go).
 */
const UPLOAD_SESSION = 'application/x-docker-upload-session';

/**
 * Whether a response head shows an upload in progress: such an object counts as missing, whatever
 * its key. Listings name no content type, so only a GET or HEAD can tell.
 */
export function isUploadSession(info: Pick<ObjectInfo, 'contentType'>): boolean {
  return info.contentType?.split(';', 1)[0]?.trim().toLowerCase() === UPLOAD_SESSION;
}
