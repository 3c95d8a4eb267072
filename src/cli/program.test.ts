import { describe, expect, it } from 'vitest';
import { testTerminal } from '../../test/support/test-terminal.js';
import { runProgram } from './program.js';

/** Run a command line that does nothing but be understood, or not. */
async function run(...commandLine: string[]) {
  const terminal = testTerminal();
  const code = await runProgram(commandLine, terminal);
  return { code, ...terminal.written };
}

const COMMANDS = ['mount', 'umount', 'ls', 'status', 'refresh', 'doctor', 'cache'];

describe('help', () => {
  it('names every command', async () => {
    const { code, out, err } = await run('--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  it.each(COMMANDS)(
    'of %s has a description, two examples and no control characters',
    async (name) => {
      const { code, out } = await run(name, '--help');
      expect(code).toBe(0);
      expect(out.split(`layoutfs ${name} `).length).toBeGreaterThan(2);
      expect(out).toMatch(/Examples:\n/);
      expect(out).not.toMatch(/\u001B/);
    },
  );

  it('of mount shows each option with its default and its variable', async () => {
    const { out } = await run('mount', '--help');
    const text = out.replace(/\s+/g, ' ');
    expect(text).toContain('--refresh <duration>');
    expect(text).toContain('(default: 5s, env: LAYOUTFS_REFRESH)');
    expect(text).toContain('-f, --foreground');
    expect(text).not.toContain('--ready-fd');
  });

  it('is offered when a version is asked for too', async () => {
    const { code, out } = await run('--version');
    expect(code).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('mistakes on the command line end with 2 and one line that says what to do', () => {
  it.each([
    [['mont', 'a', 'b'], "unknown command 'mont' (Did you mean mount?) See layoutfs --help."],
    [
      ['mount', '--refesh', '5s', 'a', 'b'],
      "unknown option '--refesh' (Did you mean --refresh?) See layoutfs mount --help.",
    ],
    [['ls', '--refresh', '5s', 'a'], "unknown option '--refresh'. See layoutfs ls --help."],
    [
      ['ls', 'a', 'b', 'c'],
      "too many arguments for 'ls'. Expected 2 arguments but got 3. See layoutfs ls --help.",
    ],
    [['umount'], "missing required argument 'mountpoint'. See layoutfs umount --help."],
    [
      ['mount', '--refresh'],
      "option '--refresh <duration>' argument missing. See layoutfs mount --help.",
    ],
    [['mount', '--refresh', '5', 'a', 'b'], '--refresh: "5" is not a duration: write a number'],
    [['mount', '-o', 'refesh=5s', 'a', 'b'], '-o refesh: there is no such option. Did you mean'],
    [['mount'], 'Name a source and a mountpoint: layoutfs mount <source> <mountpoint>.'],
    [['mount', 'file:///a'], 'Name a mountpoint after the source'],
    [
      ['mount', '--zot-config', 'c', 'file:///a', '/m'],
      'Give either a source or --zot-config, not both.',
    ],
    [['mount', '--include', '/a', '/', '/m'], '--include: "/a" cannot match'],
    [['mount', '--log', 'stderr', '/', '/m'], 'A mount in the background has no standard error'],
    [['mount', 'ftp://host/x', '/m'], 'ftp'],
    [['ls'], 'Name a source, such as s3://bucket/prefix'],
    [['ls', 's3://'], 'The source names no bucket.'],
    [['ls', '--zot-config', 'c', 'a', 'b'], 'Give either a source or --zot-config, not both.'],
    [['ls', '--zot-config', '/nowhere'], 'The zot configuration /nowhere cannot be read: ENOENT'],
    [['ls', '--config', '/nowhere', 'a'], 'The configuration file /nowhere cannot be read: ENOENT'],
  ])('%j', async (commandLine, message) => {
    const { code, out, err } = await run(...commandLine);
    expect(err).toMatch(/^layoutfs: [^\n]+\n$/);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: '' });
  });
});

it('where in the program an error arose is shown at --log-level debug only', async () => {
  const failure = ['ls', 'file:///nowhere'];
  expect((await run(...failure)).err).not.toContain('    at ');
  expect((await run(...failure, '--log-level', 'debug')).err).toContain('    at ');
});

it.each([
  [['-o', 'rw'], '/mnt', 'The mount is read-only, whatever -o rw asks for.'],
  [[], '/mnt/a:b', 'The mountpoint /mnt/a:b has a ":" in it: skopeo and umoci'],
  [[], '/mnt/a@b', 'The mountpoint /mnt/a@b has a "@" in it: skopeo and umoci'],
])('mount %j warns of what is legal but odd', async (options, mountpoint, note) => {
  const { code, err } = await run('mount', '--fake', ...options, 'file:///nowhere', mountpoint);
  expect(err).toMatch(/^layoutfs: [^\n]+\n$/);
  expect(err).toContain(note);
  expect(code).toBe(0);
});

it('mount -f only checks what was asked for', async () => {
  expect(await run('mount', '--fake', 'file:///nowhere', '/nowhere')).toEqual({
    code: 0,
    out: '',
    err: '',
  });
});
