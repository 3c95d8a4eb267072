// Keep the code that V8 makes of dist/program, for bin/layoutfs to begin with: see bin/program.js.
// What a mount needs is compiled by a mount that gets as far as it can without FUSE: it fails, since
// its cache is to be in a file.
//   node scripts/lib/keep-code.mjs
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const { Program } = createRequire(import.meta.url)(join(ROOT, 'bin/program.js'));

/** A repository as a store lists it. */
const LISTINGS = {
  '': '<CommonPrefixes><Prefix>r/</Prefix></CommonPrefixes>',
  'r/':
    '<Contents><Key>r/index.json</Key><Size>2</Size><ETag>"1"</ETag></Contents>' +
    '<Contents><Key>r/oci-layout</Key><Size>2</Size><ETag>"1"</ETag></Contents>' +
    '<CommonPrefixes><Prefix>r/blobs/</Prefix></CommonPrefixes>',
};

async function startStore() {
  const server = createServer(({ url }, response) => {
    const prefix = new URL(url, 'http://store').searchParams.get('prefix') ?? '';
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<ListBucketResult><IsTruncated>false</IsTruncated>${LISTINGS[prefix] ?? ''}</ListBucketResult>`,
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

const endpoint = await startStore();
const home = mkdtempSync(join(tmpdir(), 'layoutfs-code-'));
const mountpoint = join(home, 'mnt');
const file = join(home, 'file');
writeFileSync(file, '');
mkdirSync(mountpoint);
const program = new Program(join(ROOT, 'dist/program'));

let said = '';
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (text, ...more) => {
  said += text;
  more.at(-1)?.();
  return true;
};
process.on('exit', () => {
  rmSync(home, { recursive: true });
  const asExpected = said.includes(`${file} is no directory`);
  if (asExpected) program.keepCode();
  else write(`The program will start slower, since no code of it could be kept: ${said}\n`);
  process.exitCode = 0;
});
process.env.AWS_ACCESS_KEY_ID = 'none';
process.env.AWS_SECRET_ACCESS_KEY = 'none';
process.argv = [
  ...[process.execPath, 'layoutfs', 'mount', '-f', '--transport', 'kernel'],
  ...['--state-dir', join(home, 'state'), '--log', join(home, 'log'), '--cache-dir', file],
  ...[`s3://bucket?endpoint=${endpoint}&region=us-east-1`, mountpoint],
];
await program.load('./main.js').main();
