import { expect, test } from 'vitest';
import { isUploadSession } from './upload-session.js';

test.each([
  ['application/x-docker-upload-session', true],
  ['Application/X-Docker-Upload-Session; charset=utf-8', true],
  ['application/octet-stream', false],
  [undefined, false],
])('vector 60: %s is an upload in progress: %s', (contentType, expected) => {
  expect(isUploadSession(contentType === undefined ? {} : { contentType })).toBe(expected);
});
