// Tests what every channel must do, whatever carries it: deliver messages and payloads unchanged and in order.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BulkTag } from '../../src/protocol/channel.js';
import { MAX_BULK } from '../../src/protocol/limits.js';
import { type ChannelPair, Ear, endedAfterEach, pattern, readable, short, type Talk, tagOf } from './talk.js';

export function describeChannel(name: string, connect: () => Promise<ChannelPair>): void {
  describe(`${name}, as a channel,`, () => {
    const open = endedAfterEach(connect);

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
  });
}
