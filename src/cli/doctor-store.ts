import type { StorePlace } from '../daemon/open-source.js';
import { isStoreError } from '../store/errors.js';
import type { ObjectInfo, ObjectStore } from '../store/object-store.js';
import { fail, type Finding, ok, warn } from './finding.js';

/** Storage classes whose objects must be restored before they can be read. */
const ARCHIVES = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** An ETag that no object has. */
const FOREIGN_ETAG = '"00000000000000000000000000000000"';

/**
 * What may be done in a store, tried on one page of a listing and one object of it.
 * @throws StoreError when the store fails in a way that says nothing about permissions
 */
export async function examineStore({ store, prefix }: StorePlace): Promise<Finding[]> {
  const listed = await firstPage(store, prefix);
  if (listed === undefined) {
    return [
      warn(
        'list',
        `${store.name} refuses LIST: allow s3:ListBucket, or open repositories by name only.`,
      ),
      warn(
        'read',
        'Whether objects may be read was not found out, since LIST names none to try: allow s3:ListBucket, or try a repository that you know, with layoutfs ls SOURCE REPOSITORY. Reading needs s3:GetObject.',
      ),
    ];
  }
  const findings = [ok('list', `${store.name} may be listed.`)];
  if (listed.length > 0) findings.push(archiveFinding(listed));
  const sample = chooseSample(listed);
  if (sample === undefined) {
    findings.push(warn('read', untried(listed)));
    return findings;
  }
  const read = await tryRange(store, sample);
  findings.push(read);
  if (read.state === 'fail') return findings;
  return [...findings, await tryConditions(store, sample), await tryHead(store, sample)];
}

async function firstPage(
  store: ObjectStore,
  prefix: string,
): Promise<readonly ObjectInfo[] | undefined> {
  try {
    return (await store.list({ prefix: prefix === '' ? '' : `${prefix.replace(/\/+$/, '')}/` }))
      .objects;
  } catch (error) {
    if (isStoreError(error, 'AccessDenied')) return undefined;
    throw error;
  }
}

/** An index.json if there is one: it is small, and conditions matter most there. */
function chooseSample(objects: readonly ObjectInfo[]): ObjectInfo | undefined {
  const readable = objects.filter(
    ({ size, storageClass }) => size > 0 && !ARCHIVES.has(storageClass ?? ''),
  );
  return readable.find(({ key }) => key.endsWith('/index.json')) ?? readable[0];
}

function untried(listed: readonly ObjectInfo[]): string {
  const why =
    listed.length === 0
      ? 'nothing is stored there yet'
      : `the first ${listed.length} objects are empty or archived`;
  return `Whether objects may be read was not found out: ${why}. Run this again when an image was pushed.`;
}

function archiveFinding(objects: readonly ObjectInfo[]): Finding {
  const archived = objects.filter(({ storageClass }) => ARCHIVES.has(storageClass ?? ''));
  const [first] = archived;
  if (first === undefined) {
    return ok('archive', `None of the first ${objects.length} objects is archived.`);
  }
  return warn(
    'archive',
    `${archived.length} of the first ${objects.length} objects are archived, such as ${first.key} (${first.storageClass ?? ''}): reading them fails until they are restored.`,
  );
}

async function tryRange(store: ObjectStore, { key, size }: ObjectInfo): Promise<Finding> {
  try {
    const answer = await store.get(key, { range: { offset: size - 1, length: 1 } });
    answer.cancel();
    return answer.offset === size - 1 && answer.length === 1
      ? ok('read', `A range of ${key} can be read.`)
      : warn(
          'read',
          `The store ignores ranges: asked for one byte of ${key} it sent ${answer.length}.`,
        );
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    return fail('read', `GET of ${key} is refused: allow s3:GetObject, or nothing can be read.`);
  }
}

async function tryConditions(store: ObjectStore, { key, etag }: ObjectInfo): Promise<Finding> {
  if (etag === undefined || !store.capabilities.conditionalGet) {
    return warn('conditional GET', 'The store has no ETags: each refresh reads index.json anew.');
  }
  const unchanged = await answerOf(store, key, { ifNoneMatch: etag });
  const replaced = await answerOf(store, key, { ifMatch: FOREIGN_ETAG });
  if (unchanged === 'NotModified' && replaced === 'PreconditionFailed') {
    return ok('conditional GET', 'If-None-Match and If-Match are honoured.');
  }
  const ignored = [
    ...(unchanged === 'NotModified' ? [] : [`If-None-Match (${unchanged}): refreshes cost more`]),
    ...(replaced === 'PreconditionFailed'
      ? []
      : [
          `If-Match (${replaced}): an object replaced while it is read is found by its digest only`,
        ]),
  ];
  return warn('conditional GET', `The store does not honour ${ignored.join('; ')}.`);
}

async function answerOf(
  store: ObjectStore,
  key: string,
  condition: { ifNoneMatch: string } | { ifMatch: string },
): Promise<string> {
  try {
    (await store.get(key, condition)).cancel();
    return 'answered 200';
  } catch (error) {
    if (isStoreError(error)) return error.code;
    throw error;
  }
}

async function tryHead(store: ObjectStore, { key }: ObjectInfo): Promise<Finding> {
  try {
    await store.head(key);
    return ok('head', 'HEAD is allowed.');
  } catch (error) {
    if (!isStoreError(error, 'AccessDenied')) throw error;
    return warn('head', 'HEAD is refused; mounts do not need it.');
  }
}
