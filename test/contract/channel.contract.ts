// What every channel must do, whatever carries it.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { type BulkTag, type Channel, MAX_BULK } from '../../src/protocol/channel.js';
import type { MessageTable } from '../../src/protocol/codec.js';

/** z.number() refuses what is not finite. */
const FLOAT = z.custom<number>((value) => typeof value === 'number');
const SAY = z.strictObject({
  kind: z.literal('say'),
  number: FLOAT,
  text: z.string(),
  bytes: z.instanceof(Uint8Array),
  nested: z.array(z.strictObject({ deep: z.array(FLOAT) })),
  perhaps: z.boolean().optional(),
});
const SHORT = z.strictObject({ kind: z.literal('short'), text: z.string() });

export type Talk = z.infer<typeof SAY> | z.infer<typeof SHORT>;
export type TalkChannel = Channel<Talk, Talk>;

export const TALK: MessageTable<Talk> = {
  say: { schema: SAY, limit: 200_000 },
  short: { schema: SHORT, limit: 64 },
};
/** As TALK, but lets more through: what a peer of another mind may send. */
export const LOOSE_TALK: MessageTable<Talk> = {
  say: { schema: SAY, limit: 300_000 },
  short: { schema: SHORT, limit: 300_000 },
};

export interface ChannelPair {
  /** Sends by LOOSE_TALK, receives by TALK, as does the other. */
  readonly a: TalkChannel;
  readonly b: TalkChannel;
  /** Breaks the connection without a word. */
  cut(): void;
  end(): Promise<void>;
}

export type Heard = { readonly message: Talk } | { readonly tag: BulkTag; readonly payload: Uint8Array };

/** Listens and keeps all that comes. */
export class Ear {
  readonly heard: Heard[] = [];
  readonly endings: PseudolabelError[] = [];
  private readonly ended: Promise<PseudolabelError>;

  constructor(channel: TalkChannel, onHeard: (heard: Heard) => void = () => undefined) {
    this.ended = new Promise((resolve) => {
      const hear = (heard: Heard): void => {
        this.heard.push(heard);
        onHeard(heard);
      };
      channel.listen({
        message: (message) => hear({ message }),
        bulk: (tag, payload) => {
          expect(payload.byteOffset % 8).toBe(0);
          hear({ tag, payload: payload.slice() });
        },
        closed: (reason) => {
          this.endings.push(reason);
          resolve(reason);
        },
      });
    });
  }

  get messages(): Talk[] {
    return this.heard.flatMap((heard) => ('message' in heard ? [heard.message] : []));
  }

  async count(count: number): Promise<Heard[]> {
    await expect.poll(() => this.heard.length, { timeout: 10_000, interval: 2 }).toBeGreaterThanOrEqual(count);
    return this.heard;
  }

  end(): Promise<PseudolabelError> {
    return this.ended;
  }
}

export const short = (text: string): Talk => ({ kind: 'short', text });
export const tagOf = (step: number, offset = 0): BulkTag => ({ kind: 7, step, index: 3, attempt: 2, offset });

const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);

/** With bytes as text, which is compared at once where arrays take seconds. */
function readable(heard: readonly Heard[]): unknown {
  const hex = (bytes: Uint8Array) => `${bytes.constructor.name} ${Buffer.from(bytes).toString('hex')}`;
  return heard.map((one) => {
    if ('tag' in one) return { ...one, payload: hex(one.payload) };
    return one.message.kind === 'say' ? { ...one.message, bytes: hex(one.message.bytes) } : one.message;
  });
}

export function describeChannel(name: string, connect: () => Promise<ChannelPair>): void {
  describe(`${name}, as a channel,`, () => {
    const pairs: ChannelPair[] = [];
    const open = async (): Promise<ChannelPair> => {
      const pair = await connect();
      pairs.push(pair);
      return pair;
    };
    afterEach(() => Promise.all(pairs.splice(0).map((pair) => pair.end())));

    it('carries a message as it was, in both directions', async () => {
      const { a, b } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      const message: Talk = {
        kind: 'say',
        number: -0.1,
        text: 'é 漢 🙂',
        bytes: pattern(100_000, 1),
        nested: [{ deep: [1, 2 ** 40, Number.NaN, Number.NEGATIVE_INFINITY] }, { deep: [] }],
      };
      await a.send(message);
      await b.send(message);
      expect(readable(await earB.count(1))).toEqual(readable([{ message }]));
      expect(readable(await earA.count(1))).toEqual(readable([{ message }]));
    });

    it('leaves out what is undefined', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      const message = { kind: 'say', number: 1, text: '', bytes: new Uint8Array(), nested: [] } as const;
      await a.send({ ...message, nested: [], perhaps: undefined } as unknown as Talk);
      const [heard] = await ear.count(1);
      expect(heard).toEqual({ message });
    });

    it('gives bytes in a message memory of their own', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      await a.send({ kind: 'say', number: 1, text: '', bytes: pattern(1000, 2), nested: [] });
      await ear.count(1);
      const [message] = ear.messages as [Extract<Talk, { kind: 'say' }>];
      expect(message.bytes.buffer.byteLength).toBe(1000);
    });

    it.each([0, 1, 24, 1000, 65_536, MAX_BULK - 8, MAX_BULK])(
      'carries a payload of %i bytes, aligned',
      async (length) => {
        const { a, b } = await open();
        const ear = new Ear(b);
        new Ear(a);
        const tag: BulkTag = { kind: 65535, step: 2 ** 32 - 1, index: 0, attempt: 9, offset: 2 ** 32 - 8 };
        await a.sendBulk(tag, pattern(length, 3));
        expect(readable(await ear.count(1))).toEqual(readable([{ tag, payload: pattern(length, 3) }]));
      },
    );

    it('sends a payload out of shared memory', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
      const view = new Uint8Array(memory.buffer, 64, 200_000);
      view.set(pattern(view.length, 4));
      await a.sendBulk(tagOf(1), view);
      expect(readable(await ear.count(1))).toEqual(readable([{ tag: tagOf(1), payload: pattern(200_000, 4) }]));
    });

    it('keeps the order of messages and payloads that are sent without waiting', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      const payload = pattern(100_000, 5);
      const sent = Array.from({ length: 300 }, (_, i) =>
        i % 3 === 0 ? a.sendBulk(tagOf(i), payload) : a.send(short(`${i}`)),
      );
      await Promise.all(sent);
      const heard = await ear.count(300);
      expect(
        heard.map((one) => ('tag' in one ? one.tag.step : Number((one.message as { text: string }).text))),
      ).toEqual(Array.from({ length: 300 }, (_, i) => i));
    });

    it('lets the payload be overwritten once it is sent', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      const payload = new Uint8Array(MAX_BULK);
      for (let i = 0; i < 24; i++) {
        payload.fill(i);
        await a.sendBulk(tagOf(i), payload);
      }
      for (const [i, heard] of (await ear.count(24)).entries()) {
        const { payload: got } = heard as { payload: Uint8Array };
        expect(Buffer.alloc(MAX_BULK, i).equals(got)).toBe(true);
      }
    });

    it('delivers nothing before somebody listens, and everything then', async () => {
      const { a, b } = await open();
      new Ear(a);
      for (let i = 0; i < 5; i++) await a.send(short(`${i}`));
      await sleep(20);
      const ear = new Ear(b);
      await ear.count(5);
      await a.send(short('5'));
      await ear.count(6);
      expect(ear.messages).toEqual(Array.from({ length: 6 }, (_, i) => short(`${i}`)));
    });

    it('answers from within the listener', async () => {
      const { a, b } = await open();
      const earA = new Ear(a, () => void (earA.heard.length < 10 && a.send(short('ping'))));
      new Ear(b, () => void b.send(short('pong')));
      await a.send(short('ping'));
      await earA.count(10);
      expect(earA.messages).toEqual(Array.from({ length: 10 }, () => short('pong')));
    });

    it('counts its bytes', async () => {
      const { a, b } = await open();
      const ear = new Ear(b);
      new Ear(a);
      const [sent, received] = [a.traffic.sent, b.traffic.received];
      await a.sendBulk(tagOf(1), new Uint8Array(MAX_BULK));
      await ear.count(1);
      for (const bytes of [a.traffic.sent - sent, b.traffic.received - received]) {
        expect(bytes).toBeGreaterThanOrEqual(MAX_BULK);
        expect(bytes).toBeLessThan(1.01 * MAX_BULK);
      }
    });

    it('delivers what was sent before the end, and then the end, once, to both', async () => {
      const { a, b } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      const sent = Array.from({ length: 20 }, (_, i) => a.sendBulk(tagOf(i), new Uint8Array(MAX_BULK)));
      a.close();
      a.close(new PseudolabelError('E_TIMEOUT', 'too late', ''));
      await Promise.all(sent);
      expect(await earB.end()).toMatchObject({ code: 'E_CLOSED' });
      expect(await earA.end()).toMatchObject({ code: 'E_CLOSED' });
      expect(earB.heard).toHaveLength(20);
      await sleep(20);
      expect([earA.endings.length, earB.endings.length]).toEqual([1, 1]);
    });

    it('delivers nothing to who has closed it', async () => {
      const { a, b } = await open();
      new Ear(a);
      const ear = new Ear(b, () => b.close());
      const sent = Array.from({ length: 50 }, (_, i) => a.send(short(`${i}`)).catch(() => undefined));
      await ear.end();
      await Promise.all(sent);
      expect(ear.heard).toHaveLength(1);
    });

    it('tells the other side the reason of an end', async () => {
      const { a, b } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      a.close(new PseudolabelError('E_TIMEOUT', 'nothing for 3 s', ''));
      expect(await earA.end()).toMatchObject({ code: 'E_TIMEOUT', message: 'nothing for 3 s' });
      expect(await earB.end()).toMatchObject({
        code: 'E_TIMEOUT',
        message: expect.stringContaining('nothing for 3 s'),
      });
    });

    it('is closed to the other side with any reason of ours that is not about the connection', async () => {
      const { a, b } = await open();
      const [, earB] = [new Ear(a), new Ear(b)];
      a.close(new PseudolabelError('E_NOT_FINITE', 'x'.repeat(500), ''));
      const reason = await earB.end();
      expect(reason).toMatchObject({ code: 'E_CLOSED', message: expect.stringContaining('E_NOT_FINITE') });
    });

    it('rejects what is sent after the end, with its reason', async () => {
      const { a, b } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      a.close();
      await expect(a.send(short('late'))).rejects.toMatchObject({ code: 'E_CLOSED' });
      await Promise.all([earA.end(), earB.end()]);
      await expect(b.sendBulk(tagOf(0), new Uint8Array(8))).rejects.toMatchObject({ code: 'E_CLOSED' });
      expect(earB.heard).toEqual([]);
    });

    it('says to both that it broke, and leaves no send waiting', async () => {
      const { a, b, cut } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      const sent = Array.from({ length: 60 }, (_, i) => a.sendBulk(tagOf(i), new Uint8Array(MAX_BULK)));
      const settled = Promise.allSettled(sent);
      cut();
      expect(await earA.end()).toMatchObject({ code: 'E_CONNECTION_LOST' });
      expect(await earB.end()).toMatchObject({ code: 'E_CONNECTION_LOST' });
      for (const result of await settled) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_CONNECTION_LOST' });
      }
      await expect(a.send(short('late'))).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' });
    });

    it('refuses to send what is too long, and goes on', async () => {
      const { a, b } = await open();
      const [, ear] = [new Ear(a), new Ear(b)];
      const bytes = new Uint8Array(300_001);
      await expect(a.send({ kind: 'say', number: 1, text: '', bytes, nested: [] })).rejects.toMatchObject({
        code: 'E_TOO_LARGE',
      });
      await expect(a.sendBulk(tagOf(0), new Uint8Array(MAX_BULK + 1))).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
      await expect(a.sendBulk({ ...tagOf(0), offset: 2 ** 32 }, new Uint8Array(1))).rejects.toThrow(RangeError);
      await a.send(short('still here'));
      expect(await ear.count(1)).toEqual([{ message: short('still here') }]);
    });

    it.each([
      ['is longer than its kind may be', short('x'.repeat(100)), 'E_TOO_LARGE'],
      ['is not as its schema says', { kind: 'short', text: 5 } as unknown as Talk, 'E_PROTOCOL'],
      ['has a field too many', { kind: 'short', text: '', more: 1 } as unknown as Talk, 'E_PROTOCOL'],
    ] as const)('ends with a message that %s, for both', async (_, message, code) => {
      const { a, b } = await open();
      const [earA, earB] = [new Ear(a), new Ear(b)];
      await a.send(short('first'));
      await a.send(message);
      await a.send(short('never heard')).catch(() => undefined);
      expect(await earB.end()).toMatchObject({ code });
      expect(await earA.end()).toMatchObject({ code });
      expect(earB.heard).toEqual([{ message: short('first') }]);
    });

    it('ends with an error of ours that the listener throws', async () => {
      const { a, b } = await open();
      const earA = new Ear(a);
      const earB = new Ear(b, () => {
        throw new PseudolabelError('E_PROTOCOL', 'an offset behind the end', '');
      });
      await a.sendBulk(tagOf(0), new Uint8Array(8));
      expect(await earB.end()).toMatchObject({ code: 'E_PROTOCOL', message: 'an offset behind the end' });
      expect(await earA.end()).toMatchObject({ code: 'E_PROTOCOL' });
    });
  });
}
