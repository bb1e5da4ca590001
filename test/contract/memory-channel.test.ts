// A channel within one process fulfils the contract.
import { FramedChannel } from '../../src/protocol/framed.js';
import { MemoryPipe } from '../memory-pipe.js';
import { type ChannelPair, describeChannel, LOOSE_TALK, TALK } from './channel.contract.js';

describeChannel('a pair in memory', async (): Promise<ChannelPair> => {
  const [pipeA, pipeB] = MemoryPipe.pair();
  const tables = { outgoing: LOOSE_TALK, incoming: TALK };
  return {
    a: new FramedChannel(pipeA, tables),
    b: new FramedChannel(pipeB, tables),
    cut: () => pipeA.cut(),
    end: () => Promise.resolve(),
  };
});
