// Tests that channels over real sockets fulfil the contract, with and without TLS, whichever side sends first.
import { Arrivals, joinServer, newCertificate, openServer, TcpProxy } from '../sockets.js';
import { describeChannel } from './channel.contract.js';
import { describeChannelEnd } from './channel-end.contract.js';
import type { ChannelPair } from './talk.js';

const identity = await newCertificate();

async function meeting(tls: boolean, first: 'worker' | 'coordinator'): Promise<ChannelPair> {
  const server = await openServer(tls ? { tls: identity } : {});
  const proxy = await TcpProxy.to(server);
  const arrivals = new Arrivals(server);
  const pin = tls ? { fingerprint: identity.fingerprint } : {};
  const [coordinator, worker] = await Promise.all([arrivals.next(), joinServer(proxy, pin)]);
  const [a, b] = first === 'worker' ? [worker, coordinator] : [coordinator, worker];
  return {
    a,
    b,
    cut: () => proxy.cut(),
    end: async () => {
      server.close();
      a.close();
      b.close();
      proxy.close();
    },
  };
}

for (const [name, tls, first] of [
  ['a worker over a plain socket', false, 'worker'],
  ['a coordinator over a plain socket', false, 'coordinator'],
  ['a worker over TLS', true, 'worker'],
  ['a coordinator over TLS', true, 'coordinator'],
] as const) {
  describeChannel(name, () => meeting(tls, first));
  describeChannelEnd(name, () => meeting(tls, first));
}
