// The messages between rank 0 and the other ranks of an MPI job. They are those of a cluster (cluster-messages.ts)
// without request numbers, because ranks do one thing after another and together. Rank 0 sends to all; the others
// answer rank 0 alone.
import { z } from 'zod';
import type { Collective } from '../collectives/collective.js';
import { PseudolabelError } from '../errors.js';
import type { Message } from './channel.js';
import {
  ARENA_REGIONS,
  IMAGE_SETS,
  type ImageSet,
  type SentRegion,
  TO_COORDINATOR,
  TO_NODE,
} from './cluster-messages.js';
import { decodeFrame, encodeMessage, type MessageKind, type MessageTable } from './codec.js';
import { count, fingerprint } from './fields.js';

/** Rank r has the items [ends[r - 1], ends[r]): shards, ranges or tensor shards. */
const ends = { ends: z.array(count).min(1) };

/** The region whose content is sent to all ranks. */
const region: z.ZodType<SentRegion | ImageSet> = z.enum([...IMAGE_SETS, ...ARENA_REGIONS]);

/** Returns a message of a cluster without some of its fields, and with others. */
function changed<F extends z.ZodRawShape, const K extends keyof F, A extends z.ZodRawShape>(
  { schema, ...limits }: { readonly schema: z.ZodObject<F, z.core.$strict> } & Omit<MessageKind<Message>, 'schema'>,
  without: readonly K[],
  added: A,
) {
  const { shape } = schema;
  const kept = Object.entries(shape).filter(([name]) => !without.includes(name as K & string));
  return { schema: z.strictObject({ ...(Object.fromEntries(kept) as Omit<F, K>), ...added }), ...limits };
}

/** The messages from rank 0. */
export const TO_RANK = {
  /** Asks the rank to make an arena of this shape. Answered by `hello`. */
  welcome: changed(TO_NODE.welcome, ['request', 'wire'], {}),
  /** Says that the bytes [start, end) of a region, or the images [start, end), follow. */
  fill: { schema: z.strictObject({ kind: z.literal('fill'), region, start: count, end: count }), limit: 2 ** 10 },
  /** Asks for the gradients of the steps of all shards. Answered by `computed`. */
  gradients: changed(TO_NODE.gradients, ['request', 'round', 'goesOn'], ends),
  /**
   * Asks for the sum of the gradients, in the order of the tree or in MPI's own, and for the update of the parameters
   * by it.
   */
  update: changed(TO_NODE.update, ['request'], { order: z.enum(['tree', 'any']) }),
  /** Asks for predictions of ranges of images. Answered by `predicted`. */
  predict: changed(TO_NODE.predict, ['request'], ends),
  /** Asks for descriptions of ranges of images. Answered by `described`. */
  describe: changed(TO_NODE.describe, ['request'], ends),
  /** Sends rows of a graph. Answered by `ready`. */
  rows: changed(TO_NODE.rows, ['request'], {}),
  /** Asks for the neighbours of ranges of blocks of rows. Answered by `found`. */
  neighbours: changed(TO_NODE.neighbours, ['request'], ends),
  /** Asks for what the rank's tensor shards add to a step's logits. Answered by `logits`. */
  forward: changed(TO_NODE.forward, ['request', 'first', 'end'], ends),
  /** Sends the floats that the next pass of the rank's tensor shards needs. Answered by `logits`. */
  onward: changed(TO_NODE.onward, ['request'], {}),
  /** Sends the floats that follow the last pass, and asks for the update of the rank's tensor shards. */
  backward: changed(TO_NODE.backward, ['request'], {}),
  /**
   * Asks for the state of the rank's tensor shards, which the rank sends to rank 0 piece by piece (tensor-codec.ts).
   */
  collect: changed(TO_NODE.collect, ['request', 'first', 'end'], ends),
  /** Asks for the SHA-256 of the parameters. Answered by `digest`. */
  checksum: changed(TO_NODE.checksum, ['request'], {}),
  /** Says that the run is over. */
  bye: TO_NODE.bye,
} as const;

/** The messages to rank 0, in the order of the ranks. */
export const TO_ROOT = {
  hello: changed(TO_COORDINATOR.hello, [], { fingerprint }),
  computed: changed(TO_COORDINATOR.computed, ['request', 'milliseconds'], {}),
  predicted: changed(TO_COORDINATOR.predicted, ['request'], {}),
  ready: changed(TO_COORDINATOR.ready, ['request'], {}),
  described: changed(TO_COORDINATOR.described, ['request'], {}),
  found: changed(TO_COORDINATOR.found, ['request'], {}),
  logits: changed(TO_COORDINATOR.logits, ['request'], {}),
  digest: changed(TO_COORDINATOR.digest, ['request'], {}),
  failed: changed(TO_COORDINATOR.failed, ['request'], {}),
} as const;

export type ToRank = z.output<(typeof TO_RANK)[keyof typeof TO_RANK]['schema']>;
export type ToRoot = z.output<(typeof TO_ROOT)[keyof typeof TO_ROOT]['schema']>;

/**
 * Returns the functions by which ranks exchange messages of these two tables. A measurement adds messages of its own to
 * those of a run.
 */
export function rankMessages<ToOthers extends Message, ToFirst extends Message>(
  toOthers: MessageTable<ToOthers>,
  toFirst: MessageTable<ToFirst>,
) {
  return {
    /** Sends a message from rank 0 to all others. Its length goes before it. */
    async tell(collective: Collective, message: ToOthers): Promise<void> {
      for (const part of parts(toOthers, message)) await collective.broadcast(part);
    },

    /** Receives what rank 0 sends. Throws E_PROTOCOL or E_TOO_LARGE. */
    async hear(collective: Collective): Promise<ToOthers> {
      const length = new Uint32Array(1);
      await collective.broadcast(bytesOf(length));
      const bytes = new Uint8Array(length[0]!);
      await collective.broadcast(bytes);
      return decoded(toOthers, bytes);
    },

    /** Sends an answer from this rank to rank 0. */
    async answer(collective: Collective, message: ToFirst): Promise<void> {
      for (const bytes of parts(toFirst, message)) await collective.exchange([{ rank: 0, bytes }], []);
    },

    /** Receives the answers of the other ranks, from rank 1 on. Throws E_PROTOCOL or E_TOO_LARGE. */
    async answers(collective: Collective): Promise<ToFirst[]> {
      const receive = async (all: readonly Uint8Array[]): Promise<void> => {
        const pieces = all.map((bytes, i) => ({ rank: i + 1, bytes }));
        await collective.exchange([], pieces);
      };
      const lengths = Array.from({ length: collective.size - 1 }, () => new Uint32Array(1));
      await receive(lengths.map(bytesOf));
      const messages = lengths.map(([length]) => new Uint8Array(length!));
      await receive(messages);
      return messages.map((bytes) => decoded(toFirst, bytes));
    },
  };
}

export const { tell, hear, answer, answers } = rankMessages<ToRank, ToRoot>(TO_RANK, TO_ROOT);

/** Returns the length of a message, and the message. */
function parts<M extends Message>(table: MessageTable<M>, message: M): Uint8Array[] {
  const bytes = Buffer.concat(encodeMessage(table, message));
  return [bytesOf(Uint32Array.of(bytes.length)), bytes];
}

function decoded<M extends Message>(table: MessageTable<M>, bytes: Uint8Array): M {
  const received = decodeFrame(table, [bytes]);
  if ('message' in received) return received.message;
  const fix = 'run the same version on all ranks';
  throw new PseudolabelError('E_PROTOCOL', 'received an array where a message was due', fix);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array) => new Uint8Array(buffer, byteOffset, byteLength);
