// Tests the server of a coordinator over real sockets: who is admitted, who is refused and why, and that those inside
// are not disturbed.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { encodeMessage, PROTOCOL_VERSION } from '../../src/protocol/codec.js';
import { Ear, short } from '../contract/talk.js';
import { conversation, Impostor, LOOSE } from '../intruders.js';
import { ManualClock } from '../manual-clock.js';
import {
  Arrivals,
  closedAfterEach,
  joinServer,
  type ListeningServer,
  newCertificate,
  newToken,
  openServer,
  portOf,
  refusal,
  TABLES,
} from '../sockets.js';

const identity = await newCertificate();
const closing = closedAfterEach();

for (const secure of [false, true]) {
  const open = async (options = {}): Promise<ListeningServer> =>
    closing(await openServer({ ...(secure && { tls: identity }), ...options }));

  describe(`a server ${secure ? 'with' : 'without'} TLS`, () => {
    it('lets a worker in that knows the token', async () => {
      const server = await open();
      const arrivals = new Arrivals(server);
      const worker = closing(await joinServer(server));
      const ear = new Ear(await arrivals.next());
      await worker.send(short('hi'));
      expect(await ear.count(1)).toEqual([{ message: short('hi') }]);
      expect(server.refused.size).toBe(0);
    });

    it('lets nobody in with another token, and neither side tells', async () => {
      const server = await open();
      await expect(joinServer(server, { token: newToken(), patience: 60_000 })).rejects.toEqual(refusal('E_TOKEN'));
      await expect.poll(() => server.refused).toEqual(new Map([['E_TOKEN', 1]]));
    });

    it('refuses a proof that is wrong', async () => {
      const server = await open();
      const impostor = closing(await Impostor.at(server));
      impostor.say({ kind: 'open', version: PROTOCOL_VERSION, nonce: randomBytes(32) });
      await impostor.hears(1);
      impostor.say({ kind: 'answer', proof: randomBytes(32) });
      expect(await impostor.closed).toEqual({ code: 4401, text: expect.stringMatching(/^E_TOKEN: /) });
    });

    it("refuses the coordinator's own proof, handed back", async () => {
      const server = await open();
      const impostor = closing(await Impostor.at(server));
      impostor.say({ kind: 'open', version: PROTOCOL_VERSION, nonce: randomBytes(32) });
      const [challenge] = await impostor.hears(1);
      const proof = challenge!.subarray(challenge!.indexOf('proof') + 7).subarray(0, 32);
      impostor.say({ kind: 'answer', proof });
      expect(await impostor.closed).toMatchObject({ code: 4401 });
    });

    it('refuses another version, and says which it speaks', async () => {
      const server = await open();
      const impostor = closing(await Impostor.at(server));
      impostor.say({ kind: 'open', version: 0, nonce: new Uint8Array(), what: 'we did not know yet' });
      const { code, text } = await impostor.closed;
      expect([code, text]).toEqual([
        4426,
        expect.stringMatching(new RegExp(`^E_VERSION: .*version ${PROTOCOL_VERSION} .*version 0$`)),
      ]);
    });

    it.each([
      ['text', (ws: WebSocket) => ws.send('hello'), 4400],
      ['an empty frame', (ws: WebSocket) => ws.send(Buffer.alloc(0)), 4400],
      ['a frame of no type', (ws: WebSocket) => ws.send(Buffer.alloc(64, 9)), 4400],
      ['bulk', (ws: WebSocket) => ws.send(Buffer.from([2, ...Buffer.alloc(40)])), 4400],
      [
        'a message of a channel',
        (ws: WebSocket) => ws.send(Buffer.concat(encodeMessage(LOOSE, { kind: 'say' }))),
        4400,
      ],
    ] as const)('refuses %s before the handshake', async (_, send, code) => {
      const server = await open();
      const impostor = closing(await Impostor.at(server));
      send(impostor.ws);
      expect(await impostor.closed).toMatchObject({ code });
      expect(server.refused).toEqual(new Map([['E_PROTOCOL', 1]]));
    });

    it('reads no more than 4 KiB of a stranger', async () => {
      const server = await open();
      const impostor = closing(await Impostor.at(server));
      impostor.ws.send(Buffer.alloc(100_000));
      await impostor.closed;
      const slow = closing(await Impostor.at(server));
      for (let i = 0; i < 100 && slow.ws.readyState === WebSocket.OPEN; i++) {
        slow.ws.ping(Buffer.alloc(125));
        await sleep(1);
      }
      await slow.closed;
      await expect.poll(() => server.refused).toEqual(new Map([['E_TOO_LARGE', 2]]));
    });

    it('counts what a stranger sends from the first byte, whatever TLS and HTTP skip (case S5)', async () => {
      const server = await open();
      const to = { host: '127.0.0.1', port: portOf(server) };
      // The parser skips line ends before a request, so HTTP's own limits never count them.
      const stranger = secure ? connectTls({ ...to, rejectUnauthorized: false }) : connectTcp(to);
      const ended = new Promise((resolve) => stranger.on('error', () => undefined).on('close', resolve));
      await once(stranger, secure ? 'secureConnect' : 'connect');
      const pouring = setInterval(() => stranger.write('\r\n'.repeat(100)), 1);
      await ended;
      clearInterval(pouring);
      expect(stranger.bytesWritten).toBeLessThan(2 ** 20);
      await expect.poll(() => server.refused).toEqual(new Map([['E_TOO_LARGE', 1]]));
    });

    it('reads no more than another 4 KiB of one who is known, before the first message (case S2)', async () => {
      const server = await open({ tables: { ...TABLES, first: ['short'] } });
      const arrivals = new Arrivals(server);
      const worker = closing(await joinServer(server));
      const ear = new Ear(await arrivals.next());
      const received = ear.end();
      await worker.send({ kind: 'say', number: 1, text: 'x'.repeat(190_000), bytes: new Uint8Array(), nested: [] });
      expect(await received).toMatchObject({ code: 'E_TOO_LARGE' });
      expect(ear.heard).toEqual([]);
      const polite = closing(await joinServer(server));
      const other = new Ear(await arrivals.next());
      await polite.send(short('hello'));
      await other.count(1);
      await polite.send({ kind: 'say', number: 1, text: 'x'.repeat(190_000), bytes: new Uint8Array(), nested: [] });
      expect(await other.count(2)).toHaveLength(2);
    });

    it('ends those who are too slow, wherever they stand', async () => {
      const clock = new ManualClock();
      const server = await open({ limits: { deadline: 1000 }, clock });
      const to = { host: '127.0.0.1', port: portOf(server) };
      const silent = connectTcp(to);
      const loris = secure ? connectTls({ ...to, rejectUnauthorized: false }) : connectTcp(to);
      // once() would take the reset that such a socket may get for a failure.
      const sockets = [silent, loris].map((socket) => {
        return new Promise((resolve) =>
          socket
            .on('error', () => undefined)
            .on('close', resolve)
            .resume(),
        );
      });
      loris.write('GET / HTTP/1.1\r\nx: ');
      const upgraded = closing(await Impostor.at(server));
      const halfway = closing(await Impostor.at(server));
      halfway.say({ kind: 'open', version: PROTOCOL_VERSION, nonce: randomBytes(32) });
      await halfway.hears(1);
      await expect.poll(() => server.unauthenticated).toBe(4);
      clock.advance(999);
      await new Promise((resolve) => loris.write('x', resolve)); // It gains no time by this.
      expect([server.unauthenticated, server.refused.size]).toEqual([4, 0]);
      clock.advance(1);
      await Promise.all(sockets);
      for (const impostor of [upgraded, halfway]) {
        expect(await impostor.closed).toEqual({ code: 4408, text: expect.stringMatching(/^E_TIMEOUT: /) });
      }
      await expect.poll(() => server.refused).toEqual(new Map([['E_TIMEOUT', 4]]));
    });

    it('takes up to its number of workers, and another one when one has gone', async () => {
      const server = await open({ limits: { authenticated: 2 } });
      const arrivals = new Arrivals(server);
      const workers = [closing(await joinServer(server)), closing(await joinServer(server))];
      await expect(joinServer(server)).rejects.toEqual(refusal('E_BUSY'));
      new Ear(await arrivals.next());
      const waiting = joinServer(server, { patience: 120_000 });
      workers[0]!.close();
      closing(await waiting);
    });

    it('withstands 1,000 connections, and those inside go on', async () => {
      const clock = new ManualClock();
      const server = await open({ clock });
      const arrivals = new Arrivals(server);
      const { stop } = await conversation(server, arrivals, closing);
      const port = portOf(server);
      const before = process.memoryUsage().rss;
      // They send nothing, and so keep their places until the deadline.
      const sockets = Array.from({ length: 1000 }, () => connectTcp(port, '127.0.0.1').on('error', () => undefined));
      await expect.poll(() => (server.refused.get('E_BUSY') ?? 0) + server.unauthenticated).toBe(1000);
      expect(server.unauthenticated).toBe(32);
      expect(await stop()).toBeGreaterThan(0);
      for (const socket of sockets) socket.destroy();
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
      clock.advance(1000); // The second of the rate limit is over.
      closing(await joinServer(server, { patience: 120_000 }));
    });
  });
}
