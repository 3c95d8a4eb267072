/**
 * A reverse proxy in front of a real S3 server that misbehaves on demand and remembers every
 * request. The `Host` header goes through unchanged, and it is what the client signed, so the
 * server's check of the signature still holds.
 */
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ArmedFault,
  seeRequest,
  type Fault,
  type Matcher,
  type Operation,
  type SeenRequest,
} from './faults.js';

export type { Fault, Matcher, Operation, SeenRequest } from './faults.js';

export class FaultProxy {
  /** Every request so far, in order of arrival. */
  readonly requests: SeenRequest[] = [];
  readonly #server: http.Server;
  readonly #upstream: URL;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  readonly #faults = new Set<ArmedFault>();

  /** @param upstream address of the real server, as `http://127.0.0.1:PORT`. */
  static async start(upstream: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(new URL(upstream));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(upstream: URL) {
    this.#upstream = upstream;
    this.#server = http.createServer((request, response) => {
      const seen = seeRequest(request.method ?? '', request.url ?? '', request.headers);
      this.requests.push(seen);
      this.#answer(seen, request, response).catch(() => response.destroy());
    });
  }

  /** Address for clients. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Arm a fault; several that match one request all apply. */
  add(fault: Fault, matcher: Matcher = {}): ArmedFault {
    const armed = new ArmedFault(fault, matcher);
    this.#faults.add(armed);
    return armed;
  }

  remove(armed: ArmedFault): void {
    this.#faults.delete(armed);
  }

  /** Behave again. What hangs already stays hanging. */
  heal(): void {
    this.#faults.clear();
  }

  /** How many requests of an operation were seen. */
  count(operation: Operation): number {
    return this.requests.filter((request) => request.operation === operation).length;
  }

  /** Forget the requests seen so far. */
  forget(): void {
    this.requests.length = 0;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(seen: SeenRequest, request: http.IncomingMessage, response: http.ServerResponse) {
    const faults = [...this.#faults].filter((armed) => armed.strikes(seen)).map((x) => x.fault);
    for (const fault of faults) {
      if (fault.kind === 'delay') await sleep(fault.ms);
      if (fault.kind === 'hangBeforeHead') return;
      if (fault.kind === 'drop') {
        response.destroy();
        return;
      }
      if (fault.kind === 'status') {
        request.resume();
        sendStatus(seen, response, fault.status, fault.code);
        return;
      }
    }
    const answer = await this.#forward(request, response);
    response.once('close', () => answer.destroy());
    seen.status = answer.statusCode;
    response.writeHead(answer.statusCode ?? 502, changeHead(answer.rawHeaders, faults));
    response.flushHeaders();
    await sendBody(seen, answer, response, faults);
  }

  async #forward(request: http.IncomingMessage, response: http.ServerResponse) {
    const { hostname, port } = this.#upstream;
    const { method, url: path, rawHeaders: headers } = request;
    const forwarded = http.request({
      hostname,
      port,
      agent: this.#agent,
      method,
      path,
      headers,
      setHost: false,
    });
    response.once('close', () => forwarded.destroy());
    forwarded.on('error', () => response.destroy());
    request.pipe(forwarded);
    const [answer] = (await once(forwarded, 'response')) as [http.IncomingMessage];
    return answer;
  }
}

/** Change what faults want changed; pairs of names and values in a row, as `rawHeaders` has them. */
function changeHead(rawHeaders: readonly string[], faults: readonly Fault[]): string[] {
  const head = [...rawHeaders];
  const set = (name: string, value: (old: string) => string) => {
    for (let i = 0; i + 1 < head.length; i += 2) {
      if (head[i]?.toLowerCase() === name) head[i + 1] = value(head[i + 1] ?? '');
    }
  };
  for (const fault of faults) {
    if (fault.kind === 'etag') set('etag', () => fault.etag);
    if (fault.kind === 'truncate' && fault.adjusted === true) {
      set('content-length', (old) => String(Math.min(Number(old), fault.after)));
    }
  }
  return head;
}

async function sendBody(
  seen: SeenRequest,
  answer: http.IncomingMessage,
  response: http.ServerResponse,
  faults: readonly Fault[],
): Promise<void> {
  const start = Number(/^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] ?? 0);
  const stop = faults.find((fault) => fault.kind === 'truncate' || fault.kind === 'hangMidBody');
  const closed = once(response, 'close').catch(() => undefined);
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const left = (stop?.after ?? Infinity) - seen.bytes;
    const part = flip(chunk, start + seen.bytes, faults).subarray(0, left);
    seen.bytes += part.length;
    if (!response.write(part)) await Promise.race([once(response, 'drain'), closed]);
    if (part.length === left) break;
  }
  if (stop?.kind === 'hangMidBody') return;
  if (stop?.kind === 'truncate' && stop.adjusted !== true) {
    // Let what was written leave before the connection ends.
    response.write('', () => response.destroy());
    return;
  }
  response.end();
}

function flip(chunk: Buffer, position: number, faults: readonly Fault[]): Buffer {
  for (const fault of faults) {
    if (fault.kind !== 'flipBit') continue;
    const index = fault.offset - position;
    const byte = chunk[index];
    if (byte !== undefined) chunk[index] = byte ^ (1 << (fault.bit ?? 0));
  }
  return chunk;
}

function sendStatus(
  seen: SeenRequest,
  response: http.ServerResponse,
  status: number,
  code = 'InjectedFault',
): void {
  const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
  const body = seen.method === 'HEAD' || status === 304 ? '' : text;
  seen.status = status;
  seen.bytes = body.length;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}
