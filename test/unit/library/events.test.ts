// Tests what readers of a run's events get: all events from when they begin, within bounds.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventStream } from '../../../coordinator/library/events.js';

async function all<E>(events: AsyncIterable<E>): Promise<E[]> {
  const seen: E[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

it('a reader sees every event from when it began, in order, whether it waits for them or they wait for it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 50 }), fc.nat(49), async (pauses, begin) => {
      const stream = new EventStream<number>();
      let seen: Promise<unknown[]> | undefined;
      for (const [event, pause] of pauses.entries()) {
        if (event === begin) seen = all(stream.reader());
        stream.push(event);
        if (pause) await Promise.resolve();
      }
      stream.end('done');
      expect((await seen) ?? []).toEqual([...pauses.keys()].slice(seen ? begin : pauses.length));
    }),
  );
});

it('a reader that is too slow is told how many events it missed, and reads the last thousand', async () => {
  const stream = new EventStream<number>();
  const reader = stream.reader();
  for (let event = 0; event < 2500; event++) stream.push(event);
  stream.end('done');
  const [first, ...others] = await all(reader);
  expect(first).toEqual({ kind: 'missed', events: 1500 });
  expect(others).toEqual(Array.from({ length: 1000 }, (_, i) => 1500 + i));
});

it('a reader meets the error at the end once, also when it comes later; then there is nothing', async () => {
  const stream = new EventStream<number>();
  const early = stream.reader();
  const waiting = early.next();
  stream.end({ error: new Error('lost') });
  await expect(waiting).rejects.toThrow('lost');
  expect(await early.next()).toEqual({ value: undefined, done: true });
  const late = stream.reader();
  await expect(late.next()).rejects.toThrow('lost');
  expect(await late.next()).toEqual({ value: undefined, done: true });
});

it('a reader that has left is given nothing more, and whoever waited for it is told', async () => {
  const stream = new EventStream<number>();
  const reader = stream.reader();
  const waiting = reader.next();
  await reader.return!();
  stream.push(1);
  expect(await waiting).toEqual({ value: undefined, done: true });
  expect(await reader.next()).toEqual({ value: undefined, done: true });
});
