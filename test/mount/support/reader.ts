import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

const SCRIPT = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
mapped = None
print('open', flush=True)
for line in sys.stdin:
    command = line.strip()
    if command == 'read':
        os.lseek(fd, 0, 0)
        data = b''
        while chunk := os.read(fd, 1 << 20): data += chunk
        print(data.decode(), flush=True)
    elif command == 'map':
        mapped = mapped or mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
        print(''.join(sorted({chr(byte) for byte in mapped[:]})), flush=True)
    elif command == 'seek': print(os.lseek(fd, 0, 2), flush=True)
    elif command == 'size': print(os.fstat(fd).st_size, flush=True)
    elif command == 'mtime': print(os.fstat(fd).st_mtime, flush=True)
`;

/** A process that holds one file of a mount open and does with it what it is told. */
export class Reader {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;

  private constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#interface = lines;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async open(path: string): Promise<Reader> {
    const child = spawn('python3', ['-c', SCRIPT, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const reader = new Reader(child, createInterface(child.stdout));
    await reader.#line();
    return reader;
  }

  /** All of the file, from its start. */
  read(): Promise<string> {
    return this.#ask('read');
  }

  /** Which letters are in the file, through a shared mapping that is made once. */
  map(): Promise<string> {
    return this.#ask('map');
  }

  async seekToEnd(): Promise<number> {
    return Number(await this.#ask('seek'));
  }

  async size(): Promise<number> {
    return Number(await this.#ask('size'));
  }

  /** Seconds. */
  async mtime(): Promise<number> {
    return Number(await this.#ask('mtime'));
  }

  /** Close the file, by ending the process. */
  async close(): Promise<void> {
    const end = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin?.end();
    await end;
    this.#interface.close();
  }

  #ask(command: string): Promise<string> {
    this.#process.stdin?.write(`${command}\n`);
    return this.#line();
  }

  async #line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('the reader ended');
    return next.value;
  }
}
