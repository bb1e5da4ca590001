// What connections meet in their lives over real sockets: silence, cuts, damage, a process that stands still.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ListenOptions } from '../../coordinator/door/listener.js';
import { MAX_BULK } from '../../src/protocol/channel.js';
import { Ear, short, type Talk, type TalkChannel, tagOf } from '../contract/talk.js';
import { Arrivals, closedAfterEach, joinDoor, newIdentity, openDoor, TcpProxy } from '../sockets.js';

const identity = await newIdentity();
const closing = closedAfterEach();

interface Meeting {
  readonly proxy: TcpProxy;
  readonly worker: TalkChannel;
  readonly coordinator: TalkChannel;
}

async function meeting(options: Partial<ListenOptions<Talk, Talk>> = {}): Promise<Meeting> {
  const door = closing(await openDoor(options));
  const proxy = closing(await TcpProxy.to(door));
  const [coordinator, worker] = await Promise.all([new Arrivals(door).next(), joinDoor(proxy)]);
  return { proxy, worker: closing(worker), coordinator: closing(coordinator) };
}

/** Blocks this process's only thread. */
const standStill = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

describe('heartbeats', () => {
  it('keep a connection that says nothing', async () => {
    // A second of silence is longer than a process stands still where the processors are busy.
    const { worker, coordinator } = await meeting({ heartbeat: 600 });
    const ears = [new Ear(worker), new Ear(coordinator)];
    await sleep(2_500);
    expect(ears.map(({ endings }) => endings)).toEqual([[], []]);
  });

  // Where a machine is so busy that a process stands still, it takes longer, as it should.
  it('end it on both sides within two of them when nothing comes through any more', { retry: 4 }, async () => {
    const { proxy, worker, coordinator } = await meeting({ heartbeat: 200 });
    const ears = [new Ear(worker), new Ear(coordinator)];
    await sleep(300);
    proxy.change = () => undefined;
    const cut = performance.now();
    for (const reason of await Promise.all(ears.map((ear) => ear.end()))) {
      expect(reason).toMatchObject({ code: 'E_CONNECTION_LOST', message: expect.stringContaining('silent for 0.4 s') });
    }
    expect(performance.now() - cut).toBeGreaterThan(200);
    expect(performance.now() - cut).toBeLessThan(450);
  });

  it('end it where half of a frame came and nothing more', async () => {
    const { proxy, worker, coordinator } = await meeting({ heartbeat: 50 });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    let left = MAX_BULK / 2;
    proxy.change = (chunk, to) => {
      if (to === 'worker') return chunk;
      const passed = chunk.subarray(0, left);
      left -= passed.length;
      return passed;
    };
    worker.sendBulk(tagOf(0), new Uint8Array(MAX_BULK)).catch(() => undefined);
    expect(await ear.end()).toMatchObject({ code: 'E_CONNECTION_LOST' });
    expect(ear.heard).toEqual([]);
  });

  it('do not end it because a slow network takes long for a frame', async () => {
    const { proxy, worker, coordinator } = await meeting({ heartbeat: 100 });
    const [, ear] = [new Ear(worker), new Ear(coordinator)];
    let held: Buffer = Buffer.alloc(0);
    proxy.change = (chunk, to) => {
      if (to === 'worker') return chunk;
      held = Buffer.concat([held, chunk]);
      return undefined;
    };
    const sent = worker.sendBulk(tagOf(0), new Uint8Array(400_000));
    const began = performance.now();
    while (ear.heard.length === 0 && ear.endings.length === 0) {
      proxy.sendTo('coordinator', held.subarray(0, 20_000));
      held = held.subarray(20_000);
      await sleep(25);
    }
    proxy.sendTo('coordinator', held);
    proxy.change = (chunk) => chunk;
    await sent;
    expect(performance.now() - began).toBeGreaterThan(400); // 4 heartbeats
    await ear.count(1);
    expect(ear.endings).toEqual([]);
  });

  it('do not end it because this process stood still', async () => {
    const { worker, coordinator } = await meeting({ heartbeat: 100 });
    const [ear, other] = [new Ear(worker), new Ear(coordinator)];
    await sleep(150);
    standStill(600);
    await sleep(300);
    await coordinator.send(short('still there?'));
    await ear.count(1);
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
