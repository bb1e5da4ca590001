// Defines what channels under test carry, the two ends of a channel, and a listener.
import { afterEach, expect } from 'vitest';
import { z } from 'zod';
import type { PseudolabelError } from '../../src/errors.js';
import type { BulkTag, Channel } from '../../src/protocol/channel.js';
import type { MessageTable } from '../../src/protocol/codec.js';

/** z.number() refuses values that are not finite. */
const FLOAT = z.custom<number>((value) => typeof value === 'number');
const SAY = z.strictObject({
  kind: z.literal('say'),
  number: FLOAT,
  text: z.string(),
  bytes: z.instanceof(Uint8Array),
  nested: z.array(z.strictObject({ deep: z.array(FLOAT) })),
  perhaps: z.boolean().optional(),
});
const SHORT = z.strictObject({ kind: z.literal('short'), text: z.string() });

export type Talk = z.infer<typeof SAY> | z.infer<typeof SHORT>;
export type TalkChannel = Channel<Talk, Talk>;

export const TALK: MessageTable<Talk> = {
  say: { schema: SAY, limit: 200_000 },
  short: { schema: SHORT, limit: 64 },
};
/** Works like TALK, but lets more through: what a peer with other limits may send. */
export const LOOSE_TALK: MessageTable<Talk> = {
  say: { schema: SAY, limit: 300_000 },
  short: { schema: SHORT, limit: 300_000 },
};

export interface ChannelPair {
  /** Both ends send by LOOSE_TALK and receive by TALK. */
  readonly a: TalkChannel;
  readonly b: TalkChannel;
  /** Breaks the connection without a message. */
  cut(): void;
  end(): Promise<void>;
}

/** Returns a function that opens pairs. Each pair ends after the test that opened it. */
export function endedAfterEach(connect: () => Promise<ChannelPair>): () => Promise<ChannelPair> {
  const pairs: ChannelPair[] = [];
  afterEach(() => Promise.all(pairs.splice(0).map((pair) => pair.end())));
  return async () => {
    const pair = await connect();
    pairs.push(pair);
    return pair;
  };
}

export type Heard = { readonly message: Talk } | { readonly tag: BulkTag; readonly payload: Uint8Array };

/** Listens, and keeps everything that comes. */
export class Ear {
  readonly heard: Heard[] = [];
  readonly endings: PseudolabelError[] = [];
  private readonly ended: Promise<PseudolabelError>;

  constructor(channel: TalkChannel, onHeard: (heard: Heard) => void = () => undefined) {
    this.ended = new Promise((resolve) => {
      const hear = (heard: Heard): void => {
        this.heard.push(heard);
        onHeard(heard);
      };
      channel.listen({
        message: (message) => hear({ message }),
        bulk: (tag, payload) => {
          expect(payload.byteOffset % 8).toBe(0);
          hear({ tag, payload: payload.slice() });
        },
        closed: (reason) => {
          this.endings.push(reason);
          resolve(reason);
        },
      });
    });
  }

  get messages(): Talk[] {
    return this.heard.flatMap((heard) => ('message' in heard ? [heard.message] : []));
  }

  async count(count: number): Promise<Heard[]> {
    await expect.poll(() => this.heard.length, { interval: 2 }).toBeGreaterThanOrEqual(count);
    return this.heard;
  }

  end(): Promise<PseudolabelError> {
    return this.ended;
  }
}

export const short = (text: string): Talk => ({ kind: 'short', text });
export const tagOf = (step: number, offset = 0): BulkTag => ({ kind: 7, step, index: 3, attempt: 2, offset });

export const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);

/** Returns what was heard, with bytes as text. Comparing text is fast, and comparing arrays takes seconds. */
export function readable(heard: readonly Heard[]): unknown {
  const hex = (bytes: Uint8Array) => `${bytes.constructor.name} ${Buffer.from(bytes).toString('hex')}`;
  return heard.map((one) => {
    if ('tag' in one) return { ...one, payload: hex(one.payload) };
    return one.message.kind === 'say' ? { ...one.message, bytes: hex(one.message.bytes) } : one.message;
  });
}
