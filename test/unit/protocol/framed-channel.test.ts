// Tests what a channel over a pipe lets through at its beginning.
import { describe, expect, it } from 'vitest';
import { FramedChannel } from '../../../src/protocol/framed-channel.js';
import { Ear, LOOSE_TALK, pattern, short, TALK, tagOf } from '../../contract/talk.js';
import { MemoryTransport } from '../../memory-transport.js';

describe('a channel that has to begin with some kind of message', () => {
  const open = () => {
    const [a, b] = MemoryTransport.pair();
    const first = ['short'] as const;
    const said = new FramedChannel(a, { outgoing: LOOSE_TALK, incoming: TALK });
    return { said, heard: new Ear(new FramedChannel(b, { outgoing: LOOSE_TALK, incoming: TALK, first })) };
  };
  const say = { kind: 'say', number: 1, text: '', bytes: pattern(10, 1), nested: [] } as const;

  it('takes the others after it', async () => {
    const { said, heard } = open();
    await said.send(short('hello'));
    await said.send({ ...say, nested: [] });
    await said.sendBulk(tagOf(1), pattern(10, 2));
    expect(await heard.count(3)).toHaveLength(3);
  });

  it.each([
    ['another message', (said: FramedChannel<typeof say, never>) => said.send(say)],
    ['an array', (said: FramedChannel<typeof say, never>) => said.sendBulk(tagOf(1), pattern(10, 2))],
  ] as const)('ends with %s before it (case S2)', async (_, early) => {
    const { said, heard } = open();
    await early(said as never);
    expect(await heard.end()).toMatchObject({ code: 'E_PROTOCOL' });
    expect(heard.heard).toEqual([]);
  });
});
