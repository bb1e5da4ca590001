// A channel within one process fulfils the contract.
import { FramedChannel } from '../../src/protocol/framed.js';
import { MemoryPipe } from '../memory-pipe.js';
import { describeChannel } from './channel.contract.js';
import { describeChannelEnd } from './channel-end.contract.js';
import { type ChannelPair, LOOSE_TALK, TALK } from './talk.js';

async function pairInMemory(): Promise<ChannelPair> {
  const [pipeA, pipeB] = MemoryPipe.pair();
  const tables = { outgoing: LOOSE_TALK, incoming: TALK };
  return {
    a: new FramedChannel(pipeA, tables),
    b: new FramedChannel(pipeB, tables),
    cut: () => pipeA.cut(),
    end: () => Promise.resolve(),
  };
}

describeChannel('a pair in memory', pairInMemory);
describeChannelEnd('a pair in memory', pairInMemory);
