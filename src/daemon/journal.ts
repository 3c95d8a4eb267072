import { connect, type Socket } from 'node:net';

/** Where journald takes streams of lines; the socket that systemd-cat(1) connects to. */
export const JOURNAL_SOCKET = '/run/systemd/journal/stdout';

/** Lines kept while journald is away. */
const BACKLOG_LINES = 1000;
const RECONNECT_MS = 1000;

/**
 * A stream of lines to the journal: a header of seven lines (identifier, unit, priority, whether
 * lines begin with `<N>`, and three forwarding flags; stdout_stream_line() in systemd's
 * journald-stream.c), then the log. Connects again when journald was restarted.
 */
export class JournalStream {
  readonly #path: string;
  #socket: Socket | undefined;
  #backlog: string[] = [];
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(path = JOURNAL_SOCKET) {
    this.#path = path;
  }

  /** @throws Error when the journal does not answer at all, which is worth refusing to start for */
  async open(): Promise<void> {
    const socket = connect(this.#path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    this.#accept(socket);
  }

  /** Never blocks and never throws: without a journal the newest lines wait for it. */
  write(line: string): void {
    if (this.#socket !== undefined) this.#socket.write(line);
    else if (this.#backlog.push(line) > BACKLOG_LINES) this.#backlog.shift();
  }

  /** Send what was written, and hang up. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      // One second is plenty on one host; a stuck journal must not keep a mount from ending.
      setTimeout(() => socket.destroy(), 1000).unref();
      socket.once('close', () => resolve()).end();
    });
  }

  #accept(socket: Socket): void {
    socket.removeAllListeners('error');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#lost());
    socket.resume();
    socket.write('layoutfs\n\n6\n1\n0\n0\n0\n');
    for (const line of this.#backlog) socket.write(line);
    this.#backlog = [];
    this.#socket = socket;
  }

  #lost(): void {
    this.#socket = undefined;
    if (this.#closed) return;
    this.#retry = setTimeout(() => {
      const socket = connect(this.#path);
      socket.once('connect', () => this.#accept(socket));
      socket.once('error', () => this.#lost());
    }, RECONNECT_MS).unref();
  }
}
