// The messages between the coordinator of a cluster and its nodes, each with its schema and limits, and the long arrays
// between them. The comments say when each is sent.

import { z } from 'zod';
import { MOST_SHARDS } from '../collectives/tree.js';
import { denseSchema } from '../models/dense/model.js';
import type { Read } from '../models/model-text.js';
import type { Channel, Message } from './channel.js';
import type { MessageKind } from './codec.js';
import {
  binary,
  count,
  failure,
  fingerprint,
  gradientResult,
  list,
  logits,
  milliseconds,
  modelText,
  numerics,
  optimizer,
  predictResult,
  request,
  sha256,
  shape,
  step,
  tensorShards,
  tensorStep,
  wire,
} from './fields.js';
import { described, describeResult, neighbours, neighboursResult, rowsShape, words } from './graph-fields.js';
import { KIB, MANY, MIB, MOST_STEPS, MOST_SUMS, MOST_VALUES, VERY_MANY } from './limits.js';
import { clusterStatus } from './status.js';

/** The sets of images that are sent to a node's arena, encoded as in image-codec.ts. */
export const IMAGE_SETS = ['unlabelled', 'evaluation'] as const;

/** The regions of a node's arena that are sent without an encoding. */
export const ARENA_REGIONS = [
  'pseudoLabels',
  'confidences',
  'parameters',
  'firstMoment',
  'secondMoment',
  'average',
] as const;

/**
 * The long arrays; their positions are their numbers in frames. The coordinator fills all except `sum` in the node's
 * arena. A node also sends parameters and moments, to answer the `collect` request whose number is in `attempt`.
 * `total` and `sum` are encoded by the gradient codec that the welcome names, and images as in image-codec.ts. All
 * others are sent as they are in the arena.
 */
export const BULK_KINDS = [
  ...IMAGE_SETS,
  ...ARENA_REGIONS,
  'total',
  /** A node sends the sum of the subtree that begins with shard `index`. It answers the request `attempt`. */
  'sum',
] as const;

/** The parts of a node's arena that come from the coordinator. */
export type SentRegion = Exclude<(typeof BULK_KINDS)[number], ImageSet | 'sum'>;
export type ImageSet = (typeof IMAGE_SETS)[number];

const kind = <const K extends string, S extends z.ZodRawShape>(
  name: K,
  fields: S,
  limit: number,
  values = MOST_VALUES,
) => {
  return { schema: z.strictObject({ kind: z.literal(name), ...fields }), limit, values };
};

/**
 * The messages from the coordinator. A message with a `request` is answered once, by a message with the same number;
 * the numbers rise. The node does one request after another. Long arrays that were sent before a request have arrived
 * when it runs.
 */
export const TO_NODE = {
  /**
   * Answers `hello`, and asks the node to make an arena of this shape. wire: the gradient codec of `total` and `sum`.
   * Answered by `welcomed`.
   */
  welcome: kind('welcome', { request, shape, wire, numerics }, 4 * KIB),
  /** Refuses a node, or sends it away. The node must not try again. */
  refused: kind('refused', failure, 16 * KIB),
  /**
   * Asks for the gradients of these shards, and for the sum of each subtree that they make up. Answered by `computed`.
   * goesOn: whether to add the rounding errors of earlier sums; if false, they are dropped first.
   */
  gradients: kind(
    'gradients',
    { request, round: count, goesOn: z.boolean(), model: modelText, steps: list(step, MOST_SHARDS, 1) },
    16 * MIB,
    VERY_MANY,
  ),
  /** Asks for an update of the parameters by the total, which has been sent. Answered by `updated`. */
  update: kind('update', { request, model: modelText, optimizer }, 4 * MIB),
  /** Asks for the classes of these ranges of images. Answered by `predicted`. */
  predict: kind(
    'predict',
    {
      request,
      model: modelText,
      set: z.enum(['unlabelled', 'evaluation']),
      ranges: list(z.tuple([count, count]), MOST_SHARDS),
    },
    4 * MIB,
    MANY,
  ),
  /** Asks for descriptions of these ranges of images, for a graph. Answered by `described`. */
  describe: kind(
    'describe',
    { request, ...described, ranges: list(z.tuple([count, count]), MOST_SHARDS) },
    64 * MIB,
    MANY,
  ),
  /**
   * Sends rows of a graph from row `first` on, which the node keeps. count: of all rows. A message from row 0 on begins
   * a new graph. Answered by `ready`.
   */
  rows: kind('rows', { request, ...rowsShape, first: count, values: words }, 16 * MIB),
  /** Asks for the nearest neighbours, among all rows, of the rows of these ranges of blocks. Answered by `found`. */
  neighbours: kind(
    'neighbours',
    { request, neighbours, blocks: list(z.tuple([count, count]), MOST_SHARDS) },
    MIB,
    MANY,
  ),
  /** Asks for what these tensor shards add to a step's logits. Answered by `logits`. */
  forward: kind('forward', { request, step: tensorStep, ...tensorShards }, 16 * MIB),
  /** Sends the floats that the next pass needs, and asks for that pass. Answered by `logits`. */
  onward: kind('onward', { request, values: binary }, 16 * MIB),
  /**
   * Sends the floats that follow the last pass, such as the gradient at the logits, and asks for the update of the
   * tensor shards. Answered by `updated`.
   */
  backward: kind('backward', { request, values: binary }, 16 * MIB),
  /**
   * Asks to repeat these steps, for tensor shards that were lost elsewhere. given: the values of each exchange.
   * Answered by `updated`.
   */
  replay: kind(
    'replay',
    {
      request,
      ...tensorShards,
      steps: list(z.strictObject({ step: tensorStep, given: list(binary, 3, 1) }), MOST_STEPS, 1),
    },
    16 * MIB,
    VERY_MANY,
  ),
  /**
   * Asks for the parameters and both moments of these tensor shards, as arrays that come before the answer. Answered by
   * `collected`.
   */
  collect: kind('collect', { request, model: denseSchema, shards: count.min(1), ...tensorShards }, 64 * KIB),
  /** Asks for the SHA-256 of this many parameters. Answered by `digest`. */
  checksum: kind('checksum', { request, parameterCount: count }, KIB),
  /** Says that the run is over, or that the node may leave as it asked. The channel is then closed. */
  bye: kind('bye', { reason: z.enum(['finished', 'left']) }, KIB),
  /** Answers `ask`. The channel is then closed. */
  status: kind('status', { status: clusterStatus }, MIB, MANY),
} as const satisfies Record<string, MessageKind<Message>>;

/** Each answer says how many workers the node has lost so far. */
const answer = { request, lostWorkers: count };

/** The messages from a node. */
export const TO_COORDINATOR = {
  /** The first message of a node. */
  hello: kind('hello', { name: z.string().min(1).max(255), workers: count.min(1).max(4096) }, 2 * KIB),
  /** The first message of a client that only wants the status of the run. */
  ask: kind('ask', {}, KIB),
  /** fingerprint: of the numerics that the welcome names (models/fingerprint.ts). */
  welcomed: kind('welcomed', { ...answer, fingerprint }, KIB),
  ready: kind('ready', answer, KIB),
  /** milliseconds: of all shards together. Parts of the sums may have come before. */
  computed: kind(
    'computed',
    { ...answer, results: list(gradientResult, MOST_SHARDS), milliseconds },
    16 * MIB,
    VERY_MANY,
  ),
  updated: kind('updated', { ...answer, milliseconds }, KIB),
  predicted: kind('predicted', { ...answer, results: list(predictResult, MOST_SHARDS) }, MIB, MANY),
  described: kind('described', { ...answer, results: list(describeResult, MOST_SHARDS) }, 128 * MIB, MANY),
  found: kind('found', { ...answer, results: list(neighboursResult, MOST_SHARDS) }, 64 * MIB, MANY),
  /**
   * There are at most twice as many sums as levels in the tree over tensor shards. Each is as long as the values that
   * come back.
   */
  logits: kind('logits', { ...answer, sums: list(logits, MOST_SUMS) }, 64 * MIB),
  /** sha256: of the arrays that were sent before. */
  collected: kind('collected', { ...answer, sha256 }, KIB),
  digest: kind('digest', { ...answer, sha256 }, KIB),
  /**
   * Says that the request went wrong. The coordinator has it done elsewhere and closes the connection; the node may
   * join again.
   */
  failed: kind('failed', { ...answer, ...failure, code: failure.code.nullable() }, 16 * KIB),
  /** Says that the node wants to leave: it accepts no further requests, and expects `bye` when the last is done. */
  leaving: kind('leaving', {}, KIB),
} as const satisfies Record<string, MessageKind<Message>>;

/** The messages that each side may begin with. */
export const FIRST_TO_NODE = ['welcome', 'refused', 'status'] as const satisfies (keyof typeof TO_NODE)[];
export const FIRST_TO_COORDINATOR = ['hello', 'ask'] as const satisfies (keyof typeof TO_COORDINATOR)[];

export type ToNode = z.output<(typeof TO_NODE)[keyof typeof TO_NODE]['schema']>;
/** The same message with its model parsed and checked. */
export type ReadByNode = Read<ToNode>;
export type ToCoordinator = z.output<(typeof TO_COORDINATOR)[keyof typeof TO_COORDINATOR]['schema']>;

/** A node's end of its channel. */
export type CoordinatorChannel = Channel<ToCoordinator, ToNode>;
/** The messages that a node or a client begins with. */
export type First = Extract<ToCoordinator, { kind: (typeof FIRST_TO_COORDINATOR)[number] }>;
export type Answer = Extract<ToCoordinator, { request: number }>;
/** An answer without the number of its request. */
export type Reply = ToCoordinator extends infer M
  ? M extends { request: number }
    ? Omit<M, 'request' | 'lostWorkers'>
    : never
  : never;

/** The kind of answer to each request, besides `failed`. */
export const ANSWERS = {
  welcome: 'welcomed',
  gradients: 'computed',
  update: 'updated',
  predict: 'predicted',
  describe: 'described',
  rows: 'ready',
  neighbours: 'found',
  forward: 'logits',
  onward: 'logits',
  backward: 'updated',
  replay: 'updated',
  collect: 'collected',
  checksum: 'digest',
} as const satisfies Partial<Record<ToNode['kind'], Answer['kind']>>;

/** A message that is answered. */
export type Request = Extract<ToNode, { kind: keyof typeof ANSWERS }>;

/** The answer to a request, besides `failed`, which can answer every request. */
export type AnswerTo<R extends Request> = Extract<Answer, { kind: (typeof ANSWERS)[R['kind']] }>;
