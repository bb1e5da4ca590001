// Tests what can happen to connections over real sockets: silence, cuts, damage, and a process that is suspended.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ListenOptions } from '../../coordinator/server/server.js';
import { MAX_BULK } from '../../src/protocol/limits.js';
import { Ear, short, type Talk, type TalkChannel, tagOf } from '../contract/talk.js';
import { ManualClock } from '../manual-clock.js';
import { Arrivals, closedAfterEach, joinServer, newCertificate, openServer, TcpProxy } from '../sockets.js';

const identity = await newCertificate();
const closing = closedAfterEach();

interface Meeting {
  readonly proxy: TcpProxy;
  readonly worker: TalkChannel;
  readonly coordinator: TalkChannel;
  /** The clock of both sides. */
  readonly clock: ManualClock;
}

async function meeting(options: Partial<ListenOptions<Talk, Talk>> = {}): Promise<Meeting> {
  const clock = new ManualClock();
  const server = closing(await openServer({ clock, ...options }));
  const proxy = closing(await TcpProxy.to(server));
  const [coordinator, worker] = await Promise.all([new Arrivals(server).next(), joinServer(proxy, { clock })]);
  return { proxy, worker: closing(worker), coordinator: closing(coordinator), clock };
}

/** Does something, and waits until each of the channels has received another message. */
async function heardAt(channels: readonly TalkChannel[], act: () => void): Promise<void> {
  const before = channels.map(({ traffic }) => traffic.received);
  act();
  await expect
    .poll(() => channels.every(({ traffic }, i) => traffic.received > before[i]!), { interval: 2 })
    .toBe(true);
}

describe('heartbeats', () => {
  it('keep a connection that says nothing', async () => {
    const { worker, coordinator, clock } = await meeting({ heartbeat: 100 });
    const ears = [new Ear(worker), new Ear(coordinator)];
    for (let beat = 0; beat < 10; beat++) await heardAt([worker, coordinator], () => clock.advance(100));
    expect(ears.map(({ endings }) => endings)).toEqual([[], []]);
  });

  it('end it on both sides at the second of them when nothing comes through any more, and not before', async () => {
    const { proxy, worker, coordinator, clock } = await meeting({ heartbeat: 200 });
    const ears = [new Ear(worker), new Ear(coordinator)];
    await heardAt([worker, coordinator], () => clock.advance(200));
    proxy.change = () => undefined;
    clock.advance(399);
    await turn();
    expect(ears.map(({ endings }) => endings)).toEqual([[], []]);
    clock.advance(1);
    for (const reason of await Promise.all(ears.map((ear) => ear.end()))) {
      expect(reason).toMatchObject({ code: 'E_CONNECTION_LOST', message: expect.stringContaining('silent for 0.4 s') });
    }
  });

  it('end it where half of a frame came and nothing more', async () => {
    const { proxy, worker, coordinator, clock } = await meeting({ heartbeat: 50 });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    const arrived = coordinator.traffic.received + MAX_BULK / 2;
    let left = MAX_BULK / 2;
    proxy.change = (chunk, to) => {
      if (to === 'worker') return chunk;
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      return passed;
    };
    worker.sendBulk(tagOf(0), new Uint8Array(MAX_BULK)).catch(() => undefined);
    await expect.poll(() => coordinator.traffic.received).toBe(arrived);
    clock.advance(100);
    expect(await ear.end()).toMatchObject({ code: 'E_CONNECTION_LOST' });
    expect(ear.heard).toEqual([]);
  });

  it('do not end it because a slow network takes long for a frame', async () => {
    const { proxy, worker, coordinator, clock } = await meeting({ heartbeat: 100 });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    let held: Buffer = Buffer.alloc(0);
    proxy.change = (chunk, to) => {
      if (to === 'worker') return chunk;
      held = Buffer.concat([held, chunk]);
      return undefined;
    };
    const sent = worker.sendBulk(tagOf(0), new Uint8Array(400_000));
    await expect.poll(() => held.length).toBeGreaterThan(400_000);
    for (let beat = 0; beat < 16; beat++) {
      await heardAt([coordinator], () => proxy.sendTo('coordinator', held.subarray(0, 20_000)));
      held = held.subarray(20_000);
      await heardAt([worker], () => clock.advance(100));
    }
    expect([...ear.heard, ...ear.endings]).toEqual([]);
    proxy.sendTo('coordinator', held);
    proxy.change = (chunk) => chunk;
    await sent;
    await ear.count(1);
    expect(ear.endings).toEqual([]);
  });

  it('do not end it because this process stood still', async () => {
    const { worker, coordinator, clock } = await meeting({ heartbeat: 100 });
    const [ear, other] = [new Ear(worker), new Ear(coordinator)];
    clock.advance(50);
    clock.standStill(600);
    await turn();
    await coordinator.send(short('still there?'));
    await ear.count(1);
    await heardAt([worker, coordinator], () => clock.advance(100));
    expect([...ear.endings, ...other.endings]).toEqual([]);
  });
});

describe('a bit that was changed on the way', () => {
  /** Flips a bit of the n-th byte that goes to the coordinator from now on. */
  const flip = (proxy: TcpProxy, at: number): void => {
    let passed = 0;
    proxy.change = (chunk, to) => {
      if (to === 'worker') return chunk;
      const copy = Buffer.from(chunk);
      if (passed <= at && at < passed + copy.length) copy[at - passed]! ^= 0x10;
      passed += copy.length;
      return copy;
    };
  };

  it.each([
    ['a payload', 300_000],
    ["a payload's tag", 6 + 12],
    ['a checksum', 6 + 5],
  ])('in %s ends the connection', async (_, at) => {
    const { proxy, worker, coordinator } = await meeting({ checksAll: true });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    flip(proxy, at);
    await worker.sendBulk(tagOf(5), new Uint8Array(MAX_BULK)).catch(() => undefined);
    expect(await ear.end()).toMatchObject({ code: 'E_PROTOCOL', message: expect.stringContaining('altered') });
    expect(ear.heard).toEqual([]);
  });

  it('in the text of a message ends the connection', async () => {
    const { proxy, worker, coordinator } = await meeting();
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    flip(proxy, 6 + 13 + 6 + 18);
    await worker.send(short('a text that would do as another one')).catch(() => undefined);
    expect(await ear.end()).toMatchObject({ code: 'E_PROTOCOL' });
    expect(ear.heard).toEqual([]);
  });

  it('anywhere ends the connection, with TLS', async () => {
    const { proxy, worker, coordinator } = await meeting({ tls: identity });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    flip(proxy, 200_000);
    await worker.sendBulk(tagOf(5), new Uint8Array(MAX_BULK)).catch(() => undefined);
    expect(await ear.end()).toMatchObject({ code: 'E_CONNECTION_LOST' });
    expect(ear.heard).toEqual([]);
  });
});
