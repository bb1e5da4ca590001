// Attacks a server: clients that send what they like, and a relay in the middle. Also holds a conversation that they
// must not disturb.
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Certificate } from '../coordinator/server/secrets.js';
import { encodeMessage } from '../src/protocol/codec.js';
import { parseAddress } from '../worker/address.js';
import { Ear, short } from './contract/talk.js';
import { type Arrivals, joinServer } from './sockets.js';

export interface Closable {
  close(): void;
}

const ANY = z.custom<{ kind: string }>();
/** Accepts every message that a worker may send, and one that it may not send yet, in any form. */
export const LOOSE = {
  open: { schema: ANY, limit: 1e6 },
  answer: { schema: ANY, limit: 1e6 },
  say: { schema: ANY, limit: 1e6 },
};

/** A client that sends what it likes. */
export class Impostor {
  readonly received: Buffer[] = [];
  readonly closed: Promise<{ code: number; text: string }>;

  private constructor(readonly ws: WebSocket) {
    ws.on('error', () => undefined);
    ws.on('message', (data) => this.received.push(data as Buffer));
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, text) => resolve({ code, text: text.toString() }));
    });
  }

  static async at(server: { readonly address: string }): Promise<Impostor> {
    const ws = new WebSocket(server.address, { rejectUnauthorized: false });
    const impostor = new Impostor(ws);
    await once(ws, 'open');
    return impostor;
  }

  say(message: { kind: string; [field: string]: unknown }): void {
    this.ws.send(Buffer.concat(encodeMessage(LOOSE, message)));
  }

  async hears(count: number): Promise<Buffer[]> {
    await expect.poll(() => this.received.length, { interval: 2 }).toBe(count);
    return this.received;
  }

  close(): void {
    this.ws.terminate();
  }
}

/**
 * Lets a worker and its coordinator's end of a channel talk, until stop() tells how many of its questions were
 * answered.
 */
export async function conversation(
  server: { readonly address: string },
  arrivals: Arrivals,
  closing: <T extends Closable>(one: T) => T,
): Promise<{ stop(): Promise<number> }> {
  const [worker, channel] = await Promise.all([joinServer(server), arrivals.next()]);
  closing(worker);
  const ear = new Ear(worker);
  const answered = new Ear(channel, () => void channel.send(short('answer')));
  let going = true;
  const asking = (async () => {
    let asked = 0;
    for (; going; asked++) {
      await worker.send(short('question'));
      await ear.count(asked + 1);
      await sleep(1);
    }
    return asked;
  })();
  return {
    stop: async () => {
      going = false;
      const asked = await asking;
      expect([answered.endings, ear.endings]).toEqual([[], []]);
      return asked;
    },
  };
}

/** Ends TLS with a certificate of its own, and passes the plain bytes on to the server by another TLS connection. */
export class Relay {
  /** The number of plain bytes. */
  relayed = 0;

  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  static async to(target: { readonly address: string }, { context }: Certificate): Promise<Relay> {
    const { host, port } = parseAddress(target.address);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const relay = new Relay(server, `wss://127.0.0.1:${(server.address() as { port: number }).port}`);
    server.on('connection', (wire) => {
      const near = new TLSSocket(wire, { isServer: true, secureContext: context });
      const far = connectTls({ host, port, rejectUnauthorized: false });
      for (const socket of [wire, near, far]) socket.on('error', () => undefined);
      near.on('data', (chunk) => {
        relay.relayed += chunk.length;
        far.write(chunk);
      });
      far.pipe(near);
      near.on('close', () => far.destroy());
      far.on('close', () => near.destroy());
    });
    return relay;
  }

  close(): void {
    this.server.close();
  }
}
