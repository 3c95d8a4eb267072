import { describe, expect, it } from 'vitest';
import { asksForWriting, parseMountOptions } from './mount-options.js';

const values = (text: string, options?: { sloppy: boolean }) =>
  Object.fromEntries(
    Object.entries(parseMountOptions(text, options)).map(([name, { value }]) => [name, value]),
  );

describe('-o', () => {
  it('takes switches, values, and both spellings', () => {
    expect(values('allow_other,refresh=10s,shared-blob-dir=a,state_dir=/x')).toEqual({
      allowOther: true,
      refresh: '10s',
      sharedBlobDir: 'a',
      stateDir: '/x',
    });
  });

  it('takes those of FUSE that say something to us, and leaves the others', () => {
    expect(values('uid=1000,gid=100,umask=027,default_permissions,max_read=131072')).toEqual({
      uid: '1000',
      gid: '100',
      umask: '027',
    });
  });

  it('keeps what stands after the first equals sign, and repeats', () => {
    expect(values('root=a=b,include=x/**,include=y')).toEqual({
      root: 'a=b',
      include: ['x/**', 'y'],
    });
  });

  it('leaves the options of mount(8) and systemd to them', () => {
    expect(values('rw,ro,noatime,_netdev,nofail,x-systemd.automount,comment=x,,user')).toEqual({});
  });

  it.each([
    ['refesh=5s', '-o refesh: there is no such option. Did you mean "refresh"?'],
    ['foreground', '-o foreground: there is no such option.'],
    ['refresh', '-o refresh needs a value: write refresh=<duration>.'],
    ['allow_root', '-o allow_root: there is no such option'],
  ])('refuses %s', (text, message) => {
    expect(() => values(text)).toThrow(message);
  });

  it('is sloppy when mount -s asks for it', () => {
    expect(values('colour=red,allow_other', { sloppy: true })).toEqual({ allowOther: true });
  });
});

it.each([
  ['rw', true],
  ['noatime, rw,refresh=1s', true],
  ['ro,include=rw', false],
  ['', false],
])('whether %j asks for writing: %s', (text, asked) => {
  expect(asksForWriting(text)).toBe(asked);
});
