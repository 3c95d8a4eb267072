// Plans the migration of a large registry that exists only as listings, and prints what that took as
// JSON. A process of its own, so that its memory is that of the plan.

import { createHash } from 'node:crypto';
import { planMigration } from '../../../src/migrate/plan-migration.js';
import { openSession } from '../../../src/migrate/session.js';

const REPOSITORIES = 1000;
const PLACEHOLDERS = 80;
const BLOBS = 20_000;

/** @param {number} number */
const hex = (number) => createHash('sha256').update(`${number}`).digest('hex');
/** @param {number} number */
const md5 = (number) => `"${createHash('md5').update(`${number}`).digest('hex')}"`;

/** Every key in bytewise order: each repository has 20 blobs of its own and 80 placeholders. */
function* objects() {
  for (let repository = 0; repository < REPOSITORIES; repository += 1) {
    const name = `team/app-${String(repository).padStart(4, '0')}`;
    const own = Array.from({ length: BLOBS / REPOSITORIES }, (_, position) => ({
      hash: hex(repository * 20 + position),
      size: 1_000_000 + position,
    }));
    const others = Array.from({ length: PLACEHOLDERS }, (_, position) => ({
      hash: hex((repository * 20 + 20 + position * 199) % BLOBS),
      size: 0,
    }));
    const unique = new Map([...others, ...own].map((one) => [one.hash, one]));
    const sorted = [...unique.values()].sort((a, b) => (a.hash < b.hash ? -1 : 1));
    for (const { hash, size } of sorted) {
      const key = `${name}/blobs/sha256/${hash}`;
      yield { key, size, etag: md5(size), lastModified: 1e12 + repository };
    }
    yield { key: `${name}/index.json`, size: 300, etag: md5(repository), lastModified: 1e12 };
    yield { key: `${name}/oci-layout`, size: 30, etag: md5(-1), lastModified: 1e12 };
  }
}

let lists = 0;
let others = 0;
const remaining = objects();
const store = {
  name: 's3://large',
  capabilities: {
    conditionalGet: true,
    serverSideCopy: true,
    conditionalWrite: true,
    copyChecksum: true,
    largestCopy: 5 * 1024 ** 3,
    copyPart: 1024 ** 3,
  },
  list: () => {
    lists += 1;
    const page = [];
    for (let position = 0; position < 1000; position += 1) {
      const { value, done } = remaining.next();
      if (done === true) return Promise.resolve({ objects: page, prefixes: [] });
      page.push(value);
    }
    const more = lists * 1000 < REPOSITORIES * (2 + PLACEHOLDERS + BLOBS / REPOSITORIES);
    return Promise.resolve({ objects: page, prefixes: [], ...(more && { next: `${lists}` }) });
  },
  uploads: () => {
    others += 1;
    return Promise.resolve([]);
  },
};

const session = await openSession({ store, root: '', tool: 'test', concurrency: 16 });
const { plan } = await planMigration(session, 'shared');
const { keys, totals } = plan;
const mebibytes = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(JSON.stringify({ keys, lists, others, digests: totals.digests, mebibytes }));
