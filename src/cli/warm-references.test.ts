import { describe, expect, it } from 'vitest';
import type { Digest } from '../oci/digest.js';
import { isWanted, parsePlatform, parseReference } from './warm-references.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function selects(text: string, repository: string, refName?: string): boolean {
  const reference = parseReference(text);
  const entry = { digest: DIGEST as Digest, size: 1, mediaType: '', ...(refName && { refName }) };
  return reference.matchesRepository(repository) && reference.matchesTag(entry);
}

describe('a reference', () => {
  it.each([
    ['team/app', 'team/app', undefined],
    ['team/app', 'team/app', 'v1'],
    ['/team/app/', 'team/app', 'v1'],
    ['team/app:v1', 'team/app', 'v1'],
    ['team/*:v1.*', 'team/app', 'v1.2'],
    ['team/**', 'team/app/deep', 'v1'],
    ['/', '', 'v1'],
    ['/:v1', '', 'v1'],
  ])('%s means %s:%s', (text, repository, tag) => {
    expect(selects(text, repository, tag)).toBe(true);
  });

  it.each([
    ['team/app', 'team/other', 'v1'],
    ['team/app:v1', 'team/app', 'v10'],
    ['team/app:v1', 'team/app', undefined],
    ['team/*', 'team/app/deep', 'v1'],
    ['team/*:v1.*', 'team/app', 'v2.1'],
  ])('%s does not mean %s:%s', (text, repository, tag) => {
    expect(selects(text, repository, tag)).toBe(false);
  });

  it('may be a digest', () => {
    expect(parseReference(`team/app@${DIGEST}`)).toMatchObject({
      repository: 'team/app',
      digest: DIGEST,
      isExact: true,
    });
    // As docker writes it: the digest decides.
    expect(parseReference(`team/app:v1@${DIGEST}`)).toMatchObject({ digest: DIGEST });
  });

  it.each(['', 'team/app:', 'team/app@', 'team/app@sha256:abc', 'a@b'])('is not %j', (text) => {
    expect(() => parseReference(text)).toThrow(`"${text}" names no image`);
  });
});

describe('a platform', () => {
  it('without variant means all of them', () => {
    const arm = { os: 'linux', architecture: 'arm64', variant: 'v8' };
    expect(isWanted([parsePlatform('linux/arm64')], arm)).toBe(true);
    expect(isWanted([parsePlatform('linux/arm64/v8')], arm)).toBe(true);
    expect(isWanted([parsePlatform('linux/arm64/v9')], arm)).toBe(false);
    expect(isWanted([parsePlatform('linux/amd64')], arm)).toBe(false);
  });

  it.each(['', 'linux', 'linux/', '/arm64', 'linux/arm64/', 'a/b/c/d'])('is not %j', (text) => {
    expect(() => parsePlatform(text)).toThrow('is no platform');
  });
});
