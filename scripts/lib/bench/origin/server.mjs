// A read-only store with the manners of S3, for measuring only: it takes any signature. What it
// answers can be paced (time to the first byte, rate of each response) and spoilt (see `faults`).
//   node server.mjs OBJECTS.json BUCKET TTFB_MS MB_PER_S
// Prints its port. GET /.stats answers the counters and sets them to 0; POST /.faults sets faults.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [, , objectsFile, bucket, ttfbArgument, rateArgument] = process.argv;
const ttfb = Number(ttfbArgument);
const rate = Number(rateArgument) * 1e6;
const { file, objects } = JSON.parse(readFileSync(objectsFile, 'utf8'));
const data = readFileSync(file);
const MODIFIED = new Date('2026-01-01T00:00:00Z');

const byKey = new Map();
for (const { key, size, offset, head } of objects) {
  const etag = `"${Buffer.from(key).toString('hex').slice(-32)}-1"`;
  byKey.set(key, { key, size, offset, etag, head: Buffer.from(head, 'base64') });
}
const keys = [...byKey.keys()].sort();

let stats = {};
/** `flip`: in the object whose key ends in `key`, flip a bit of byte `at`. `refuse`: share of 503. */
let faults = {};
let dice = 1;

const count = (what, by = 1) => (stats[what] = (stats[what] ?? 0) + by);
const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** The bytes `[from, to)` of an object, as pieces. */
function pieces(object, from, to) {
  const { head, offset } = object;
  const all = [];
  if (from < head.length) all.push(head.subarray(from, Math.min(to, head.length)));
  const rest = Math.max(from, head.length);
  if (rest < to) all.push(data.subarray(offset + rest, offset + to));
  const { flip } = faults;
  if (flip === undefined || !object.key.endsWith(flip.key) || flip.at < from || flip.at >= to) {
    return all;
  }
  const copy = Buffer.concat(all);
  copy[flip.at - from] ^= 1;
  return [copy];
}

function refused() {
  // The same sequence in each run.
  dice = (Math.imul(dice, 1103515245) + 12345) >>> 0;
  return dice / 2 ** 32 < (faults.refuse ?? 0);
}

function list(query) {
  const isV2 = query.get('list-type') === '2';
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const max = Math.min(1000, Number(query.get('max-keys') ?? 1000));
  const after = isV2
    ? (query.get('continuation-token') ?? query.get('start-after') ?? '')
    : (query.get('marker') ?? '');
  const name = query.get('encoding-type') === 'url' ? encodeURIComponent : escape;
  const contents = [];
  const prefixes = [];
  let last = '';
  let truncated = false;
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const entry = end < 0 ? key : key.slice(0, end + 1);
    if (entry <= after || entry === last) continue;
    if (contents.length + prefixes.length >= max) {
      truncated = max > 0;
      break;
    }
    if (end < 0) contents.push(byKey.get(key));
    else prefixes.push(entry);
    last = entry;
  }
  const next = isV2 ? 'NextContinuationToken' : 'NextMarker';
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    `<Name>${bucket}</Name><Prefix>${name(prefix)}</Prefix><MaxKeys>${max}</MaxKeys>`,
    isV2
      ? `<KeyCount>${contents.length + prefixes.length}</KeyCount>`
      : `<Marker>${name(after)}</Marker>`,
    delimiter && `<Delimiter>${name(delimiter)}</Delimiter>`,
    query.has('encoding-type') ? '<EncodingType>url</EncodingType>' : '',
    `<IsTruncated>${truncated}</IsTruncated>`,
    truncated ? `<${next}>${name(last)}</${next}>` : '',
    ...contents.map(
      ({ key, size, etag }) =>
        `<Contents><Key>${name(key)}</Key><LastModified>${MODIFIED.toISOString()}</LastModified><ETag>${escape(etag)}</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    ),
    ...prefixes.map((one) => `<CommonPrefixes><Prefix>${name(one)}</Prefix></CommonPrefixes>`),
    '</ListBucketResult>',
  ].join('');
}

/** Send pieces at the rate of a connection. */
function send(response, all, length) {
  let sent = 0;
  let closed = false;
  const started = performance.now();
  response.on('close', () => {
    closed = true;
    count('bytes', sent);
  });
  const next = (most) => {
    const wanted = [];
    for (let left = most; left > 0 && all.length > 0;) {
      const piece = all[0].subarray(0, left);
      wanted.push(piece);
      left -= piece.length;
      if (piece.length === all[0].length) all.shift();
      else all[0] = all[0].subarray(piece.length);
    }
    return wanted;
  };
  const step = () => {
    if (closed) return;
    const elapsed = performance.now() - started + 2;
    const allowed = rate > 0 ? Math.floor((elapsed * rate) / 1000) : sent + 2 ** 20;
    let flowing = true;
    for (const piece of next(Math.min(length, allowed) - sent)) {
      flowing = response.write(piece);
      sent += piece.length;
    }
    if (sent >= length) response.end();
    else if (!flowing) response.once('drain', rate > 0 ? () => setTimeout(step, 1) : step);
    else if (rate > 0) setTimeout(step, 2);
    else setImmediate(step);
  };
  step();
}

/** Which bytes of an object a request asks for; undefined if it has none of them. */
function rangeOf(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match) return { from: 0, to: size, partial: false };
  const [, first, last] = match;
  if (first === '') return { from: Math.max(0, size - Number(last)), to: size, partial: true };
  const from = Number(first);
  const to = last === '' ? size : Math.min(Number(last) + 1, size);
  return from < to ? { from, to, partial: true } : undefined;
}

function readBody(request, use) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => use(Buffer.concat(chunks).toString()));
}

function answer(request, response) {
  const url = new URL(request.url, 'http://origin');
  if (url.pathname === '/.stats') {
    response.end(JSON.stringify(stats));
    stats = {};
    return;
  }
  if (url.pathname === '/.faults') {
    readBody(request, (body) => {
      faults = JSON.parse(body);
      dice = 1;
      response.end();
    });
    return;
  }
  const isHead = request.method === 'HEAD';
  const xml = (status, body) => {
    const headers = {
      'content-type': 'application/xml',
      'content-length': Buffer.byteLength(body),
    };
    setTimeout(() => response.writeHead(status, headers).end(isHead ? undefined : body), ttfb);
  };
  const failure = (status, code) => {
    count(`${request.method} ${status}`);
    xml(status, `<Error><Code>${code}</Code></Error>`);
  };
  if (request.method !== 'GET' && !isHead) return failure(403, 'AccessDenied');
  if (refused()) return failure(503, 'SlowDown');
  const [, asked, ...rest] = url.pathname.split('/');
  if (asked !== bucket) return failure(404, 'NoSuchBucket');
  const key = decodeURIComponent(rest.join('/'));
  if (key === '') {
    count(isHead ? 'HEAD bucket' : 'LIST');
    const location =
      '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>';
    if (url.searchParams.has('location')) return xml(200, location);
    return xml(200, isHead ? '' : list(url.searchParams));
  }
  const object = byKey.get(key);
  if (object === undefined) return failure(404, 'NoSuchKey');
  const { size, etag } = object;
  if (request.headers['if-none-match'] === etag) {
    count('304');
    setTimeout(() => response.writeHead(304, { etag }).end(), ttfb);
    return;
  }
  const condition = request.headers['if-match'];
  if (condition !== undefined && condition !== etag) return failure(412, 'PreconditionFailed');
  const range = rangeOf(request.headers.range, size);
  if (range === undefined) return failure(416, 'InvalidRange');
  const { from, to, partial } = range;
  count(isHead ? 'HEAD' : 'GET');
  const headers = {
    'content-length': to - from,
    etag,
    'accept-ranges': 'bytes',
    'last-modified': MODIFIED.toUTCString(),
    'content-type': 'application/octet-stream',
    ...(partial && { 'content-range': `bytes ${from}-${to - 1}/${size}` }),
  };
  setTimeout(() => {
    response.writeHead(partial ? 206 : 200, headers);
    if (isHead || from === to) response.end();
    else send(response, pieces(object, from, to), to - from);
  }, ttfb);
}

const server = createServer(answer);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
