/**
 * For scripts/demo: `make DIRECTORY LAYOUT` makes a registry in a directory, and
 * `upload DIRECTORY ENDPOINT BUCKET` puts it into a bucket (credentials and region from the AWS_*
 * variables).
 */
import type { LayoutName } from './layouts.js';
import { LAYOUTS } from './layouts.js';
import { makeRegistry } from './registry.js';
import { readKeys, uploadKeys } from './upload.js';

const [verb, directory = '', ...rest] = process.argv.slice(2);
const { env } = process;

if (verb === 'make' && isLayout(rest[0])) {
  await makeRegistry(directory, { layout: rest[0] });
} else if (verb === 'upload' && rest.length === 2) {
  const [endpoint = '', bucket = ''] = rest;
  await uploadKeys(
    {
      endpoint,
      bucket,
      region: env['AWS_REGION'] ?? 'us-east-1',
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
    await readKeys(directory),
  );
} else {
  console.error(
    `Usage: make DIRECTORY ${Object.keys(LAYOUTS).join('|')} | upload DIRECTORY ENDPOINT BUCKET`,
  );
  process.exitCode = 2;
}

function isLayout(text: string | undefined): text is LayoutName {
  return text !== undefined && text in LAYOUTS;
}
