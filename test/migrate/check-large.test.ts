import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkRegistry } from '../../src/migrate/check/check.js';
import { Counters } from '../../src/observe/counters.js';
import { withCounting } from '../../src/store/counting.js';
import { openForTest } from '../support/registries.js';
import { BucketBuilder } from './support/bucket-builder.js';
import { SortedStore } from './support/sorted-store.js';

/** A registry of 1,000 repositories with 80 placeholders each, of 20,000 blobs. */
const REPOSITORIES = 1000;
const PLACEHOLDERS = 80;
const BLOBS = 20_000;

function largeBucket(): BucketBuilder {
  const bucket = new BucketBuilder();
  const names = Array.from({ length: BLOBS }, (_, number) =>
    createHash('sha256').update(`${number}`).digest('hex'),
  );
  for (const name of names) bucket.objects[`pool/blobs/sha256/${name}`] = 'x';
  bucket.repository('pool', {});
  for (let number = 0; number < REPOSITORIES; number += 1) {
    const repository = `team-${number % 10}/app-${number}`;
    const layers = Array.from({ length: PLACEHOLDERS }, (_, position) => {
      const name = names[(number * 37 + position * 251) % BLOBS] ?? '';
      bucket.objects[`${repository}/blobs/sha256/${name}`] = '';
      return { mediaType: 'layer', digest: `sha256:${name}`, size: 1 };
    });
    const manifest = JSON.stringify({ layers, number });
    const entry = bucket.document(
      repository,
      'application/vnd.oci.image.manifest.v1+json',
      manifest,
    );
    bucket.repository(repository, { v1: entry });
  }
  return bucket;
}

it('a check of 80,000 placeholders lists each key once and reads each document once', async () => {
  const { objects } = largeBucket();
  const keys = Object.keys(objects).length;
  const counters = new Counters();
  const store = withCounting(new SortedStore(objects), counters);
  const registry = await openForTest(store, { kind: 'zot' });
  const before = counters.snapshot();
  const { verdict, totals, notes } = await checkRegistry(registry.areas, {
    accepts: () => true,
    partial: false,
    share: 0,
    concurrency: 16,
  });
  expect(verdict).toBe('sound');
  expect(totals).toMatchObject({ repositories: REPOSITORIES + 1, keys, placeholders: 80_000 });
  expect(notes.resolvedPlaceholders).toBe(80_000);
  expect(counters.get('store.list') - before['store.list']).toBe(Math.ceil(keys / 1000));
  // One index for each repository and one manifest for each that has one.
  expect(counters.get('store.get') - before['store.get']).toBe(2 * REPOSITORIES + 1);
  expect(counters.get('store.head')).toBe(0);
  expect(counters.get('store.write')).toBe(0);
});
