import { openTransport, type TransportName } from '../../../src/fuse/open-transport.js';
import type { MountedFileSystem } from '../../../src/fuse/transport.js';
import type { Log } from '../../../src/observe/log.js';
import { type Announced, type MemoryFile, MemoryFileSystem } from './memory-file-system.js';

/**
 * A process that serves a {@link MemoryFileSystem}, told what to do by its parent's messages. The
 * process that reads a mount must never be the one that serves it.
 */
export type Command =
  | {
      readonly do: 'mount';
      readonly transport: TransportName;
      readonly mountpoint: string;
      readonly source: string;
      readonly allowOther: boolean;
      readonly umask: number;
      readonly refreshMs: number;
    }
  | { readonly do: 'put' | 'alter'; readonly path: string; readonly file: MemoryFile }
  | { readonly do: 'remove'; readonly path: string }
  | { readonly do: 'announce'; readonly what: Announced; readonly path: string }
  | { readonly do: 'unmount' | 'waitForEnd' | 'report' | 'letGo' | 'exit' | 'crash' };

export interface Report {
  readonly calls: Readonly<Record<string, number>>;
  readonly owed: { readonly references: number; readonly handles: number };
  /** Errors logged. */
  readonly errors: readonly string[];
  /** What else was logged for people to read. */
  readonly notes: readonly string[];
  readonly rss: number;
  /** Of the kernel, to the mount that was made last. */
  readonly requests: Readonly<Record<string, number>>;
}

const fileSystem = new MemoryFileSystem();
const errors: string[] = [];
const notes: string[] = [];
const nothing = (): void => undefined;
const log: Log = {
  debug: nothing,
  info: (_fields, message) => notes.push(message),
  warn: (_fields, message) => notes.push(message),
  error: (fields, message) =>
    errors.push('error' in fields ? `${message} ${String(fields['error'])}` : message),
};
let mounted: MountedFileSystem | undefined;
let lettingGo = false;

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'mount': {
      const { transport, ...rest } = command;
      const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
      const opened = await openTransport(transport, { ...rest, log });
      const options = { ...rest, log, ...owner };
      mounted = await opened.mount(fileSystem, options);
      return opened.name;
    }
    case 'put':
      fileSystem.put(command.path, command.file);
      return;
    case 'alter':
      fileSystem.alter(command.path, command.file);
      return;
    case 'remove':
      fileSystem.remove(command.path);
      return;
    case 'announce':
      fileSystem.announce(command.what, command.path);
      return mounted?.announced();
    case 'unmount':
      return mounted?.unmount();
    case 'waitForEnd':
      return mounted?.ended;
    case 'letGo':
      lettingGo = true;
      setImmediate(() => process.disconnect());
      return;
    case 'exit':
      setImmediate(() => process.exit(7));
      return;
    case 'crash':
      setImmediate(() => {
        throw new Error('As told.');
      });
      return;
    case 'report':
      return {
        calls: fileSystem.calls,
        owed: fileSystem.owed(),
        errors,
        notes,
        rss: process.memoryUsage.rss(),
        requests: mounted?.requests() ?? {},
      } satisfies Report;
  }
}

process.on('message', ({ id, command }: { id: number; command: Command }) => {
  obey(command).then(
    (value) => process.send?.({ id, value }),
    (error: unknown) => process.send?.({ id, error: (error as Error).message }),
  );
});
// Without its parent, nobody would end it.
process.on('disconnect', () => {
  if (!lettingGo) process.kill(process.pid, 'SIGKILL');
});
