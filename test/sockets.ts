// Connects coordinators and workers over real sockets, for the tests of channels and of the server.
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { type Certificate, ensureCertificate } from '../coordinator/server/secrets.js';
import { type ListenOptions, listen, type Server } from '../coordinator/server/server.js';
import type { ErrorCode } from '../src/errors.js';
import { parseAddress } from '../worker/address.js';
import { type ConnectOptions, connect } from '../worker/connect.js';
import { LOOSE_TALK, TALK, type Talk, type TalkChannel } from './contract/talk.js';

export type ListeningServer = Server<Talk, Talk>;

export const TABLES = { outgoing: LOOSE_TALK, incoming: TALK };

export const newToken = () => createSecretKey(randomBytes(32));
export const TOKEN = newToken();

export async function newCertificate(): Promise<Certificate> {
  const folder = mkdtempSync(join(tmpdir(), 'identity-'));
  try {
    return await ensureCertificate(join(folder, 'coordinator.pem'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function openServer(options: Partial<ListenOptions<Talk, Talk>> = {}): Promise<ListeningServer> {
  return listen({ token: TOKEN, tables: TABLES, ...options });
}

export function joinServer(server: { readonly address: string }, options: Partial<ConnectOptions<Talk, Talk>> = {}) {
  return connect({ address: server.address, token: TOKEN, tables: TABLES, ...options });
}

export const portOf = (server: { readonly address: string }): number => parseAddress(server.address).port;

/** Matches the error that joinDoor() is rejected with. */
export const refusal = (code: ErrorCode) => expect.objectContaining({ code });

/** Takes workers in one after another. */
export class Arrivals {
  private readonly reader: ReadableStreamDefaultReader<TalkChannel>;

  constructor(server: ListeningServer) {
    this.reader = server.arrivals.getReader() as ReadableStreamDefaultReader<TalkChannel>;
  }

  async next(): Promise<TalkChannel> {
    const { value, done } = await this.reader.read();
    if (done) throw new Error('the server was closed');
    return value;
  }
}

/** A proxy between a worker and a coordinator. It can stop, change or cut what passes. */
export class TcpProxy {
  private readonly sockets: Socket[] = [];
  /** Changes bytes on their way. If it returns undefined, they are not passed on. */
  change: (chunk: Buffer, to: 'coordinator' | 'worker') => Buffer | undefined = (chunk) => chunk;
  private readonly server: NetServer;

  private constructor(private readonly target: { readonly address: string }) {
    const { host, port } = parseAddress(target.address);
    this.server = createServer((near) => {
      const far = connectTcp({ host, port });
      this.pass(near, far, 'coordinator');
      this.pass(far, near, 'worker');
    });
  }

  static async to(target: { readonly address: string }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    const { port } = this.server.address() as { port: number };
    return `${this.target.address.split('://')[0]}://127.0.0.1:${port}`;
  }

  /** Sends bytes in the name of the other side, on the last connection. */
  sendTo(to: 'coordinator' | 'worker', chunk: Buffer): void {
    this.sockets.at(to === 'coordinator' ? -1 : -2)!.write(chunk);
  }

  cut(): void {
    for (const socket of this.sockets.splice(0)) socket.resetAndDestroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private pass(from: Socket, into: Socket, to: 'coordinator' | 'worker'): void {
    this.sockets.push(from);
    from.on('error', () => undefined);
    from.on('close', () => into.destroy());
    from.on('data', (chunk) => {
      const changed = this.change(chunk, to);
      if (changed && !into.write(changed)) from.pause();
    });
    into.on('drain', () => from.resume());
  }
}

/** Returns a function that notes what is to be closed after each test of the file, and returns it. */
export function closedAfterEach(): <T extends { close(): void }>(one: T) => T {
  const open: { close(): void }[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });
  return (one) => {
    open.push(one);
    return one;
  };
}
