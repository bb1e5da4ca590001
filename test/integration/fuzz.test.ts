// Tests random and mutated bytes at a server and in channels, while others talk there. Nothing crashes, nothing is
// left, and nobody is disturbed.
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeBulk, encodeMessage, type Frame, PROTOCOL_VERSION } from '../../src/protocol/codec.js';
import { introduce } from '../../src/protocol/token-handshake.js';
import { parseAddress } from '../../worker/address.js';
import { dial } from '../../worker/connect.js';
import { Ear, LOOSE_TALK, short, tagOf } from '../contract/talk.js';
import { conversation, LOOSE } from '../intruders.js';
import { Arrivals, type ListeningServer, openServer, TOKEN } from '../sockets.js';

/** Seconds are enough for every run of the tests. FUZZ_RUNS=10000 tries more. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150);
const LIMITS = { rate: 1e9, unauthenticated: 1000, unauthenticatedPerAddress: 1000 };
const ANSWER_MS = 10_000;

const toClose: { close(): void }[] = [];
afterEach(() => {
  for (const one of toClose.splice(0)) one.close();
});
const closing = <T extends { close(): void }>(one: T): T => {
  toClose.push(one);
  return one;
};

const UPGRADE = Buffer.from(
  'GET / HTTP/1.1\r\nHost: c\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
);
const open: { kind: string } = { kind: 'open', ...{ version: PROTOCOL_VERSION, nonce: new Uint8Array(32) } };
const OPEN = Buffer.concat(encodeMessage(LOOSE, open));
/** Returns a client's frame with a mask of zeros. */
const webSocketFrame = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0x82, 0x80 | Math.min(body.length, 125), 0, 0, 0, 0]), body.subarray(0, 125)]);

/** Replaces, removes or doubles some of the bytes. */
const mutated = (bytes: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(bytes.length),
      fc.nat(bytes.length),
      fc.boolean(),
    )
    .map(([changes, start, end, twice]) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) copy[at] = value;
      return start < end && twice
        ? Buffer.concat([copy, copy.subarray(start, end)])
        : copy.subarray(0, Math.max(start, end));
    });

const random = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

/** Resolves when the server has closed the connection that sends these bytes. */
async function say(server: ListeningServer, bytes: Buffer): Promise<void> {
  const { host, port } = parseAddress(server.address);
  const socket = connectTcp({ host, port }).on('error', () => undefined);
  socket.resume();
  socket.end(bytes);
  await Promise.race([once(socket, 'close'), timeout()]);
}

const timeout = () =>
  new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('the server did not let go')), ANSWER_MS).unref();
  });

describe('a server', () => {
  it.each([
    ['random bytes', random],
    ['a mutated upgrade', mutated(UPGRADE)],
    ['random bytes after an upgrade', random.map((bytes) => Buffer.concat([UPGRADE, bytes]))],
    ['random frames after an upgrade', random.map((bytes) => Buffer.concat([UPGRADE, webSocketFrame(bytes)]))],
    ['a mutated handshake', mutated(webSocketFrame(OPEN)).map((bytes) => Buffer.concat([UPGRADE, bytes]))],
  ] as const)('stands %s', async (_, bytes) => {
    const server = closing(await openServer({ limits: { ...LIMITS, deadline: 5000 } }));
    const talk = await conversation(server, new Arrivals(server), closing);
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 8, maxLength: 8 }), async (all) => {
        await Promise.all(all.map((some) => say(server, some)));
      }),
      { numRuns: Math.ceil(RUNS / 8), seed: 5, endOnFailure: true },
    );
    expect(await talk.stop()).toBeGreaterThan(0);
    await expect.poll(() => server.unauthenticated).toBe(0);
  });
});

describe('a channel', () => {
  const messages = encodeMessage(LOOSE_TALK, short('a message'));
  const bulk = encodeBulk(tagOf(1), new Uint8Array(64));
  const whole = (frame: Frame) => Buffer.concat(frame);
  const inOnePiece = (bytes: Buffer): Frame => [Buffer.alloc(0), bytes];

  it.each([
    ['random frames', random.map(inOnePiece)],
    ['mutated messages', mutated(whole(messages)).map(inOnePiece)],
    ['mutated bulk', mutated(whole(bulk)).map(inOnePiece)],
    ['frames in random pieces', fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 2, maxLength: 2 })],
  ] as const)('ends with %s, or takes them for what they are, and no other notices', async (_, frames) => {
    const server = closing(await openServer({ limits: LIMITS, checksAll: true }));
    const arrivals = new Arrivals(server);
    const talk = await conversation(server, arrivals, closing);
    const address = parseAddress(server.address);
    await fc.assert(
      fc.asyncProperty(frames, async (frame) => {
        const { transport, binding } = await dial(
          { address, fingerprint: undefined, insecure: false, longest: 1e6, clock: undefined },
          new AbortController().signal,
        );
        await introduce(transport, { token: TOKEN, binding });
        const ear = new Ear(await arrivals.next());
        await transport.send(frame).catch(() => undefined);
        transport.close();
        const { code } = await Promise.race([ear.end(), timeout()]);
        expect(['E_PROTOCOL', 'E_TOO_LARGE', 'E_CLOSED']).toContain(code);
        // What came through is what was sent, unless the checksum let one error of four billion pass.
        for (const heard of ear.heard) {
          if ('tag' in heard) expect(heard).toEqual({ tag: tagOf(1), payload: new Uint8Array(64) });
          else expect(heard.message).toEqual(short('a message'));
        }
      }),
      { numRuns: Math.ceil(RUNS / 2), seed: 6, endOnFailure: true },
    );
    expect(await talk.stop()).toBeGreaterThan(0);
    await expect.poll(() => server.refused.size).toBe(0);
  });
});
