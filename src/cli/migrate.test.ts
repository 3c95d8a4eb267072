import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { smallRegistry, soundRegistry } from '../../test/migrate/support/small-registry.js';
import { localBucket, type LocalBucket } from '../../test/support/local-bucket.js';
import { testTerminal } from '../../test/support/test-terminal.js';
import { runProgram } from './program.js';

let bucket: LocalBucket;
let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'layoutfs-cli-'));
  bucket = await localBucket(soundRegistry());
});
afterEach(async () => {
  await bucket.remove();
  await rm(stateDir, { recursive: true, force: true });
});

async function layoutfs(...words: string[]) {
  const terminal = testTerminal({ LAYOUTFS_STATE_DIR: stateDir });
  const code = await runProgram(words, terminal);
  return { code, ...terminal.written };
}

const ACT = ['--apply', '--registry-stopped'];
const journals = (): Promise<string[]> => readdir(join(bucket.directory, '_layoutfs'));

describe('layoutfs migrate', () => {
  it('shows a plan and how to act on it, and writes nothing', async () => {
    const { code, out, err } = await layoutfs('migrate', '--to', 'shared', bucket.directory);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^To the shared layout \(storage\/blobs\):$/m);
    expect(out).toMatch(/^ {2}requests +\d+ requests \(\d+ LIST, .*: \$0$/m);
    expect(out).toMatch(/^ {2}rollback +\d+ requests: \$0, by the journal$/m);
    expect(out).toMatch(/no released zot reads storage\/blobs/);
    const word = /--apply --registry-stopped --plan ([0-9a-f]{12}) file:/.exec(out)?.[1];
    expect(word).toBeDefined();
    await expect(journals()).rejects.toThrow('ENOENT');
    const plan = ['--plan', word ?? ''];
    const acted = await layoutfs('migrate', '--to', 'shared', ...ACT, ...plan, bucket.directory);
    // One digest of the registry has placeholders only.
    expect(acted.code).toBe(1);
    expect(acted.out).toMatch(/^Done \(run 0001-\d{8}T\d{6}Z\): \d+ blobs in place and verified/m);
    expect(acted.out).toMatch(/! 1 blob was left as it is:/);
    expect(await journals()).toHaveLength(1);
  });

  it('refuses to act on a plan that is not of this bucket any more', async () => {
    await bucket.store.put('zulu/index.json', Buffer.from('{"manifests":[]}'));
    const plan = ['--plan', '0123456789ab'];
    const acted = await layoutfs('migrate', '--to', 'shared', ...ACT, ...plan, bucket.directory);
    expect(acted.code).toBe(1);
    expect(acted.err).toMatch(/not as the plan 0123456789ab saw it/);
    await expect(journals()).rejects.toThrow('ENOENT');
  });

  it.each([
    [['--to', 'nowhere'], /"nowhere" is no layout: use shared or per-repository/],
    [[], /required option '--to <layout>' not specified/],
    [['--to', 'shared', '--apply'], /--apply wants --registry-stopped too/],
    [['--to', 'shared', '--concurrency', '0'], /--concurrency: "0" is no number/],
    [['--to', 'shared', '--rate', 'fast'], /--rate: "fast" is no number/],
    [['--to', 'shared', '--include', 'team/**'], /leave --include and --exclude out/],
    [['--to', 'shared', '--registry', 'plain'], /Only the blobs of a zot registry/],
    [['--to', 'shared', '--prices', '/no/such'], /--prices \/no\/such: ENOENT/],
  ])('is refused with %j', async (words, message) => {
    const { code, err } = await layoutfs('migrate', ...words, bucket.directory);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).toMatch(/^layoutfs: [^\n]+\n$/);
  });

  it('takes prices from a file, and says which field is wrong', async () => {
    const file = join(stateDir, 'prices.yaml');
    const prices = 'name: ours\nwritesPerThousand: 1\nreadsPerThousand: 0.1\n';
    await writeFile(file, prices);
    const wrong = await layoutfs('migrate', '--to', 'shared', '--prices', file, bucket.directory);
    expect(wrong.err).toMatch(/These are no prices: storagePerGigabyteMonth .* Write them as in/);
    await writeFile(file, `${prices}storagePerGigabyteMonth: 1\n`);
    const words = ['--to', 'shared', '--prices', file, '--json', bucket.directory];
    const { out, code } = await layoutfs('migrate', ...words);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      format: 1,
      prices: { name: 'ours', writesPerThousand: 1 },
      plan: { to: 'shared', blockers: [], totals: { skipped: [{}] } },
    });
  });

  it('ends with 1 where something stands in the way', async () => {
    for (const name of ['oci-layout', 'index.json']) {
      await bucket.store.put(`storage/${name}`, Buffer.from('{"manifests":[]}'));
    }
    const shown = await layoutfs('migrate', '--to', 'shared', bucket.directory);
    expect(shown.code).toBe(1);
    expect(shown.out).toMatch(/^✗ The repository "storage" lies where .* Rename it first\.$/m);
    expect(shown.out).not.toContain('To do it');
  });

  it('names from the bucket cannot steer the terminal, or the shell that a line is pasted into', async () => {
    const name = 'x;$(id)\u001b]0;title\u0007';
    await bucket.store.put(`team/alpha/.uploads/${name}`, Buffer.from('half'));
    const shown = await layoutfs('migrate', '--to', 'shared', bucket.directory);
    const refused = await layoutfs('migrate', '--to', 'shared', ...ACT, bucket.directory);
    expect(shown.out).toContain('team/alpha/.uploads/x;$(id)?]0;title?');
    expect(refused.err).toContain('team/alpha/.uploads/x;$(id)?]0;title?');
    await bucket.store.delete(`team/alpha/.uploads/${name}`);
    const words = ['--to', 'shared', ...ACT, '--json', bucket.directory];
    const { report } = JSON.parse((await layoutfs('migrate', ...words)).out) as {
      report: { run: string };
    };
    const journal = join(bucket.directory, '_layoutfs');
    await rename(join(journal, report.run), join(journal, name));
    const back = await layoutfs('rollback', bucket.directory);
    expect(back.out).toContain("--run 'x;$(id)?]0;title?' --apply");
    const told = [shown, refused, back].map(({ out, err }) => out + err).join('');
    expect(told).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  it('says how to act on the root that was looked at', async () => {
    for (const [key, body] of Object.entries(soundRegistry())) {
      await bucket.store.put(`two/registries/${key}`, Buffer.from(body));
    }
    const root = ['--root', 'two/registries'];
    const shown = await layoutfs('migrate', '--to', 'shared', ...root, bucket.directory);
    const line =
      /^To do it: layoutfs (migrate .*--plan [0-9a-f]{12} --root two\/registries) file:/m;
    const words = line.exec(shown.out)?.[1]?.split(' ') ?? [];
    const acted = await layoutfs(...words, bucket.directory);
    expect(acted.out).toMatch(/^Done/m);
    expect(await readdir(join(bucket.directory, 'two/registries/_layoutfs'))).toHaveLength(1);
    await expect(journals()).rejects.toThrow('ENOENT');
    const back = await layoutfs('rollback', ...root, bucket.directory);
    expect(back.out).toMatch(
      /--run \S+ --apply .*--plan [0-9a-f]{12} --root two\/registries file:/,
    );
  });

  it('keeps to a rate', async () => {
    const started = performance.now();
    await layoutfs('migrate', '--to', 'shared', '--rate', '10', bucket.directory);
    // One LIST, and one look at the uploads a tenth of a second later.
    expect(performance.now() - started).toBeGreaterThan(90);
  });
});

describe('layoutfs rollback', () => {
  it('takes a migration back, and then has nothing left to take back', async () => {
    const words = ['--to', 'shared', ...ACT, '--json', bucket.directory];
    const { out } = await layoutfs('migrate', ...words);
    const { report } = JSON.parse(out) as { report: { run: string; finished: boolean } };
    expect(report.finished).toBe(true);
    const plan = await layoutfs('rollback', bucket.directory);
    expect(plan.out).toMatch(new RegExp(`^Taking run ${report.run} back, by its journal:$`, 'm'));
    expect(plan.out).toMatch(/^ {2}readable by +whatever could read it before that run$/m);
    const back = await layoutfs('rollback', ...ACT, '--run', report.run, bucket.directory);
    expect(back).toMatchObject({ code: 0, err: '' });
    const again = await layoutfs('rollback', ...ACT, bucket.directory);
    expect(again.code).toBe(1);
    expect(again.err).toMatch(/Every run in .* was rolled back already/);
    const named = await layoutfs('rollback', '--run', report.run, bucket.directory);
    expect(named.err).toMatch(/was rolled back already/);
  });

  it('without a journal says what can be done, and does it', async () => {
    const without = await layoutfs('rollback', ...ACT, bucket.directory);
    expect(without.code).toBe(1);
    expect(without.err).toMatch(/There is no journal .* --by-closure/);
    await expect(journals()).rejects.toThrow('ENOENT');
    const unasked = await layoutfs('rollback', bucket.directory);
    expect(unasked.out).toMatch(/^There is no journal of a run. To whole copies .*by closure:$/m);
    expect(unasked.out).toMatch(/^To do it: layoutfs rollback --by-closure --apply /m);
    const plan = await layoutfs('rollback', '--by-closure', bucket.directory);
    expect(plan.out).toMatch(/^To whole copies in every repository, by closure:$/m);
    const both = await layoutfs('rollback', '--by-closure', '--run', '1', bucket.directory);
    expect(both.code).toBe(2);
  });

  it('says which blobs were left alone', async () => {
    await bucket.remove();
    bucket = await localBucket(smallRegistry());
    const { out, code } = await layoutfs('migrate', '--to', 'shared', ...ACT, bucket.directory);
    expect(code).toBe(1);
    expect(out).toMatch(/! 1 object was left, with other bytes than the name says:/);
    expect(out).toMatch(/! 2 blobs were left as they are:/);
  });
});
