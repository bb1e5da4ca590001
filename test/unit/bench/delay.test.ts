// Tests the relay that delays what passes, which benchmarks and tests of distant machines use.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';

interface Relay {
  readonly port: number;
  readonly held: number;
  close(): void;
}
interface Options {
  readonly listen: { readonly host: string };
  readonly to: { readonly host: string; readonly port: number };
  readonly milliseconds: number;
}
const source = new URL('../../../scripts/bench/delay.mjs', import.meta.url).href;
const { delayingRelay } = (await import(source)) as { delayingRelay: (options: Options) => Promise<Relay> };

const HERE = { host: '127.0.0.1' };
const MEGABYTES = randomBytes(2 ** 23);

const closing: { close(): void }[] = [];
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

/** Answers every connection with `answer`, behind a relay. */
async function behindRelay(milliseconds: number, answer: (socket: Socket) => void): Promise<Relay> {
  const server: Server = createServer({ allowHalfOpen: true }, answer);
  server.listen(0, HERE.host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const relay = await delayingRelay({ listen: HERE, to: { ...HERE, port }, milliseconds });
  closing.push(relay, server);
  return relay;
}

describe('a delaying relay', () => {
  it('carries what is sent, both ways, whole and in order, to the end', async () => {
    const relay = await behindRelay(5, (socket) => socket.pipe(socket));
    const client = connect({ ...HERE, port: relay.port, allowHalfOpen: true });
    client.end(MEGABYTES);
    expect((await buffer(client)).equals(MEGABYTES)).toBe(true);
    expect(relay.held).toBe(0);
  });

  // These are below and above the resolution of a timer.
  it.each([0.1, 40])('lets a round trip take twice its %d ms, at least', async (milliseconds) => {
    const relay = await behindRelay(milliseconds, (socket) => socket.pipe(socket));
    const client = connect({ ...HERE, port: relay.port });
    for (const word of ['?', '!']) {
      const began = performance.now();
      client.write(word);
      const [answer] = await once(client, 'data');
      expect(performance.now() - began).toBeGreaterThanOrEqual(2 * milliseconds);
      expect(String(answer)).toBe(word);
    }
    client.destroy();
  });

  it('has room for all that is under way: megabytes leave before the first byte arrives', async () => {
    let arrived = 0;
    const relay = await behindRelay(600_000, (socket) => {
      socket.on('data', ({ length }) => {
        arrived += length;
      });
    });
    const client = connect({ ...HERE, port: relay.port });
    client.write(MEGABYTES);
    await expect.poll(() => relay.held).toBe(MEGABYTES.length);
    expect(arrived).toBe(0);
    client.resetAndDestroy();
    await expect.poll(() => relay.held).toBe(0);
  });

  it('passes a reset on', async () => {
    const relay = await behindRelay(5, (socket) => socket.on('data', () => socket.resetAndDestroy()));
    const client = connect({ ...HERE, port: relay.port });
    const closed = new Promise((resolve) => {
      client.on('error', () => undefined);
      client.on('close', resolve);
    });
    client.write('?');
    await closed;
  });
});
