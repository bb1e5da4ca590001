// Tests how every channel must end, whatever carries it: once, for both sides, with a reason, and with nothing left
// waiting.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PseudolabelError } from '../../src/errors.js';
import { MAX_BULK } from '../../src/protocol/limits.js';
import { type ChannelPair, Ear, endedAfterEach, short, type Talk, tagOf } from './talk.js';

export function describeChannelEnd(name: string, connect: () => Promise<ChannelPair>): void {
  describe(`${name}, as a channel that ends,`, () => {
    const open = endedAfterEach(connect);

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
