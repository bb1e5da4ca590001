// Channels over real sockets fulfil the contract, with TLS and without, whichever side speaks first.
import { beforeAll } from 'vitest';
import type { Identity } from '../../coordinator/door/identity.js';
import { Arrivals, joinDoor, newIdentity, openDoor, TcpProxy } from '../sockets.js';
import { type ChannelPair, describeChannel } from './channel.contract.js';

let identity: Identity;
beforeAll(async () => {
  identity = await newIdentity();
});

async function meeting(tls: boolean, first: 'worker' | 'coordinator'): Promise<ChannelPair> {
  const door = await openDoor(tls ? { tls: identity } : {});
  const proxy = await TcpProxy.to(door);
  const arrivals = new Arrivals(door);
  const pin = tls ? { fingerprint: identity.fingerprint } : {};
  const [coordinator, worker] = await Promise.all([arrivals.next(), joinDoor(proxy, pin)]);
  const [a, b] = first === 'worker' ? [worker, coordinator] : [coordinator, worker];
  return {
    a,
    b,
    cut: () => proxy.cut(),
    end: async () => {
      door.close();
      a.close();
      b.close();
      proxy.close();
    },
  };
}

describeChannel('a worker over a plain socket', () => meeting(false, 'worker'));
describeChannel('a coordinator over a plain socket', () => meeting(false, 'coordinator'));
describeChannel('a worker over TLS', () => meeting(true, 'worker'));
describeChannel('a coordinator over TLS', () => meeting(true, 'coordinator'));
