// Tests that a channel within one process fulfils the contract of channels.
import { FramedChannel } from '../../src/protocol/framed-channel.js';
import { MemoryTransport } from '../memory-transport.js';
import { describeChannel } from './channel.contract.js';
import { describeChannelEnd } from './channel-end.contract.js';
import { type ChannelPair, LOOSE_TALK, TALK } from './talk.js';

async function pairInMemory(): Promise<ChannelPair> {
  const [transportA, transportB] = MemoryTransport.pair();
  const tables = { outgoing: LOOSE_TALK, incoming: TALK };
  return {
    a: new FramedChannel(transportA, tables),
    b: new FramedChannel(transportB, tables),
    cut: () => transportA.cut(),
    end: () => Promise.resolve(),
  };
}

describeChannel('a pair in memory', pairInMemory);
describeChannelEnd('a pair in memory', pairInMemory);
