// Owns what rank 0 and the other ranks of a job say to each other: the messages of nodes (messages.ts) without their numbers, since ranks do
// one thing after another and together. Rank 0 says everything to all; they answer to it alone.
import { z } from 'zod';
import type { Collective } from '../collectives/collective.js';
import { PseudolabelError } from '../errors.js';
import type { Message } from './channel.js';
import { type SentRegion, TO_COORDINATOR, TO_NODE } from './cluster-messages.js';
import { decodeFrame, encodeMessage, type MessageTable } from './codec.js';
import { count } from './fields.js';

/** Items [ends[r - 1], ends[r]) are rank r's: shards, ranges, or tensor shards. */
const ends = z.array(count).min(1);
/** Regions of the arena that are brought to all ranks. */
const region: z.ZodType<SentRegion> = z.enum([
  'images',
  'evaluationImages',
  'pseudoLabels',
  'confidences',
  'parameters',
  'firstMoment',
  'secondMoment',
]);

const limitsOf = ({ limit, values }: { readonly limit: number; readonly values: number }) => ({ limit, values });

/** From rank 0. */
export const TO_RANK = {
  /** Make an arena of this shape. Answered by `hello`. */
  welcome: { schema: TO_NODE.welcome.schema.omit({ request: true, wire: true }), ...limitsOf(TO_NODE.welcome) },
  /** The bytes [start, end) of a region follow. */
  fill: { schema: z.strictObject({ kind: z.literal('fill'), region, start: count, end: count }), limit: 2 ** 10 },
  /** The steps of all shards. Answered by `computed`. */
  gradients: {
    schema: TO_NODE.gradients.schema.omit({ request: true, round: true, goesOn: true }).extend({ ends }),
    ...limitsOf(TO_NODE.gradients),
  },
  /** Sum up the gradients, in the order of the tree or in MPI's own, and update the parameters by the total. */
  update: {
    schema: TO_NODE.update.schema.omit({ request: true }).extend({ order: z.enum(['tree', 'any']) }),
    ...limitsOf(TO_NODE.update),
  },
  /** Ranges of images. Answered by `predicted`. */
  predict: { schema: TO_NODE.predict.schema.omit({ request: true }).extend({ ends }), ...limitsOf(TO_NODE.predict) },
  /** Compute what the rank's tensor shards add to a step's logits. Answered by `logits`. */
  forward: {
    schema: TO_NODE.forward.schema.omit({ request: true, first: true, end: true }).extend({ ends }),
    ...limitsOf(TO_NODE.forward),
  },
  /** What the next pass of the rank's slices needs, floats. Answered by `logits`. */
  onward: { schema: TO_NODE.onward.schema.omit({ request: true }), ...limitsOf(TO_NODE.onward) },
  /** What the last pass needs, floats: update the rank's slices. */
  backward: { schema: TO_NODE.backward.schema.omit({ request: true }), ...limitsOf(TO_NODE.backward) },
  /** Send the state of the rank's slices to rank 0, piece by piece (slice-state.ts). */
  collect: {
    schema: TO_NODE.collect.schema.omit({ request: true, first: true, end: true }).extend({ ends }),
    ...limitsOf(TO_NODE.collect),
  },
  /** Answered by `digest`. */
  checksum: { schema: TO_NODE.checksum.schema.omit({ request: true }), ...limitsOf(TO_NODE.checksum) },
  /** The run is over. */
  bye: TO_NODE.bye,
} as const;

/** To rank 0, in the order of the ranks. */
export const TO_ROOT = {
  hello: TO_COORDINATOR.hello,
  computed: {
    schema: TO_COORDINATOR.computed.schema.omit({ request: true, milliseconds: true }),
    ...limitsOf(TO_COORDINATOR.computed),
  },
  predicted: { schema: TO_COORDINATOR.predicted.schema.omit({ request: true }), ...limitsOf(TO_COORDINATOR.predicted) },
  logits: { schema: TO_COORDINATOR.logits.schema.omit({ request: true }), ...limitsOf(TO_COORDINATOR.logits) },
  digest: { schema: TO_COORDINATOR.digest.schema.omit({ request: true }), ...limitsOf(TO_COORDINATOR.digest) },
  failed: { schema: TO_COORDINATOR.failed.schema.omit({ request: true }), ...limitsOf(TO_COORDINATOR.failed) },
} as const;

export type ToRank = z.output<(typeof TO_RANK)[keyof typeof TO_RANK]['schema']>;
export type ToRoot = z.output<(typeof TO_ROOT)[keyof typeof TO_ROOT]['schema']>;

/** Rank 0 says something to all others. */
export const tell = (collective: Collective, message: ToRank): Promise<void> => tellBy(TO_RANK, collective, message);

/** What rank 0 tells. Throws E_PROTOCOL or E_TOO_LARGE. */
export const hear = (collective: Collective): Promise<ToRank> => hearBy<ToRank>(TO_RANK, collective);

/** One of the other ranks says something to rank 0. */
export const answer = (collective: Collective, message: ToRoot): Promise<void> =>
  answerBy(TO_ROOT, collective, message);

/** What each of the other ranks answers, from rank 1 on. Throws E_PROTOCOL or E_TOO_LARGE. */
export const answers = (collective: Collective): Promise<ToRoot[]> => answersBy<ToRoot>(TO_ROOT, collective);

/** The same four in the messages of another table. A message's length goes before it. */
export async function tellBy<M extends Message>(
  table: MessageTable<M>,
  collective: Collective,
  message: M,
): Promise<void> {
  const bytes = encoded(table, message);
  await collective.broadcast(lengthOf(bytes));
  await collective.broadcast(bytes);
}

export async function hearBy<M extends Message>(table: MessageTable<M>, collective: Collective): Promise<M> {
  const length = new Uint32Array(1);
  await collective.broadcast(bytesOf(length));
  const bytes = new Uint8Array(length[0]!);
  await collective.broadcast(bytes);
  return decoded(table, bytes);
}

export async function answerBy<M extends Message>(
  table: MessageTable<M>,
  collective: Collective,
  message: M,
): Promise<void> {
  const bytes = encoded(table, message);
  for (const part of [lengthOf(bytes), bytes]) await collective.exchange([{ rank: 0, bytes: part }], []);
}

export async function answersBy<M extends Message>(table: MessageTable<M>, collective: Collective): Promise<M[]> {
  const lengths = Array.from({ length: collective.size - 1 }, () => new Uint32Array(1));
  await collective.exchange(
    [],
    lengths.map((length, i) => ({ rank: i + 1, bytes: bytesOf(length) })),
  );
  const messages = lengths.map(([length]) => new Uint8Array(length!));
  await collective.exchange(
    [],
    messages.map((bytes, i) => ({ rank: i + 1, bytes })),
  );
  return messages.map((bytes) => decoded(table, bytes));
}

function encoded<M extends Message>(table: MessageTable<M>, message: M): Uint8Array {
  return Buffer.concat(encodeMessage(table, message));
}

function decoded<M extends Message>(table: MessageTable<M>, bytes: Uint8Array): M {
  const received = decodeFrame(table, [bytes]);
  if ('message' in received) return received.message;
  throw new PseudolabelError(
    'E_PROTOCOL',
    'received an array where a message was due',
    'run the same version on all ranks',
  );
}

const lengthOf = ({ length }: Uint8Array): Uint8Array => bytesOf(Uint32Array.of(length));
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array) => new Uint8Array(buffer, byteOffset, byteLength);
