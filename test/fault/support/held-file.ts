import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const SCRIPT = `
import errno, hashlib, os, sys
def answer(work):
    try: print(work(), flush=True)
    except OSError as error: print(errno.errorcode[error.errno], flush=True)
def opened():
    global fd
    fd = os.open(sys.argv[1], os.O_RDONLY)
    return 'opened'
def read(offset, length):
    data = b''
    while len(data) < length:
        piece = os.pread(fd, length - len(data), offset + len(data))
        if not piece: break
        data += piece
    return '%d %s' % (len(data), hashlib.sha256(data).hexdigest())
answer(opened)
for line in sys.stdin:
    offset, length = map(int, line.split())
    answer(lambda: read(offset, length))
`;

/** How long one answer may take, in ms; a test that waits longer fails. */
const PATIENCE = 30_000;

/** A process that holds a file of a mount open, and reads of it what it is told. */
export class HeldFile {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: AsyncIterator<string>) {
    this.#process = process;
    this.#lines = lines;
  }

  /** @throws Error with the errno's name when it cannot be opened */
  static async open(path: string): Promise<HeldFile> {
    const child = spawn('python3', ['-c', SCRIPT, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const held = new HeldFile(child, createInterface(child.stdout)[Symbol.asyncIterator]());
    const answer = await held.#answer();
    if (answer !== 'opened') {
      await held.close();
      throw new Error(answer);
    }
    return held;
  }

  /** Id of the process that has the file open. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** `<count> <sha256>` of the bytes from `offset`, or the errno's name. */
  async read(offset: number, length: number): Promise<string> {
    this.#process.stdin?.write(`${offset} ${length}\n`);
    return this.#answer();
  }

  /** Close the file, by ending the process. */
  async close(): Promise<void> {
    const ended = this.#process.exitCode !== null || this.#process.signalCode !== null;
    const exit = ended ? undefined : once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exit;
  }

  async #answer(): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#process.kill('SIGKILL');
        reject(new Error(`No answer to a read within ${PATIENCE} ms.`));
      }, PATIENCE);
    });
    try {
      const next = await Promise.race([this.#lines.next(), late]);
      if (next.done === true) throw new Error('The process that held the file ended.');
      return next.value;
    } finally {
      clearTimeout(timer);
    }
  }
}
