// The messages between the coordinator of a cluster and its nodes, each with its schema and limits, and the long arrays
// between them. The comments say when each is sent.

import { z } from 'zod';
import { denseSchema } from '../models/dense/model.js';
import type { Read } from '../models/model-text.js';
import type { Channel, Message } from './channel.js';
import { type MessageKind, MOST_VALUES } from './codec.js';
import {
  binary,
  count,
  failure,
  fingerprint,
  gradientResult,
  list,
  logits,
  MOST_SHARDS,
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
import { clusterStatus } from './status.js';

/** The images that travel, those of a node's arena that have these names: as image-codec.ts says. */
export const IMAGE_SETS = ['unlabelled', 'evaluation'] as const;

/** The parts of a node's arena that travel as they are. */
export const ARENA_REGIONS = [
  'pseudoLabels',
  'confidences',
  'parameters',
  'firstMoment',
  'secondMoment',
  'average',
] as const;

/**
 * The long arrays, by their numbers on the wire. The coordinator fills all but `sum` in the node's arena. A node sends
 * parameters and moments too, to answer the `collect` request whose number is in `attempt`. `total` and `sum` travel by
 * the gradient codec that the welcome names, images as image-codec.ts says, all others as they are in the arena.
 */
export const BULK_KINDS = [
  ...IMAGE_SETS,
  ...ARENA_REGIONS,
  'total',
  /** From the node: the sum of the subtree that begins with shard `index`. It answers the request `attempt`. */
  'sum',
] as const;

/** The parts of a node's arena that come from the coordinator. */
export type SentRegion = Exclude<(typeof BULK_KINDS)[number], ImageSet | 'sum'>;
export type ImageSet = (typeof IMAGE_SETS)[number];

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** Steps of a replay: the replay log keeps no more (coordinator/executors/cluster/cluster-executor.ts). */
const MOST_STEPS = 2 ** 12;
/** Twice the levels of a tree over as many tensor shards as there can be. */
const MOST_SUMS = 64;

/** Values in a message that lists many shards or images. So many are soon decoded. */
const MANY = 2 ** 18;
/** Values in a message that lists steps, or their results: of all classes for each shard. */
const VERY_MANY = 2 ** 20;

const kind = <const K extends string, S extends z.ZodRawShape>(
  name: K,
  fields: S,
  limit: number,
  values = MOST_VALUES,
) => {
  return { schema: z.strictObject({ kind: z.literal(name), ...fields }), limit, values };
};

/**
 * From the coordinator. Each with a `request` is answered once, by a message with the same number; numbers rise. The
 * node does one request after another. Long arrays that were sent before a request are there when it is done.
 */
export const TO_NODE = {
  /** Answers a hello: make an arena of this shape. wire: the gradient codec of `total` and `sum`. Answered by `welcomed`. */
  welcome: kind('welcome', { request, shape, wire, numerics }, 4 * KIB),
  /** Refuses a node, or sends it away. Trying again is of no use. */
  refused: kind('refused', failure, 16 * KIB),
  /**
   * Compute the gradients of these shards, answer by `computed`, and send the sum of each subtree that they make up.
   * goesOn: add what rounding has left of earlier sums; otherwise forget it first.
   */
  gradients: kind(
    'gradients',
    { request, round: count, goesOn: z.boolean(), model: modelText, steps: list(step, MOST_SHARDS, 1) },
    16 * MIB,
    VERY_MANY,
  ),
  /** Update the parameters by the total, which has been sent. Answered by `updated`. */
  update: kind('update', { request, model: modelText, optimizer }, 4 * MIB),
  /** Predict the classes of these ranges of images. Answered by `predicted`. */
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
  /** Describe these ranges of images for a graph. Answered by `described`. */
  describe: kind(
    'describe',
    { request, ...described, ranges: list(z.tuple([count, count]), MOST_SHARDS) },
    64 * MIB,
    MANY,
  ),
  /** Rows of a graph from row `first` on, of so many in all: keep them. Those from row 0 on are the first of others. Answered by `ready`. */
  rows: kind('rows', { request, ...rowsShape, first: count, values: words }, 16 * MIB),
  /** Find the nearest neighbours of the rows of these ranges of blocks, among all rows. Answered by `found`. */
  neighbours: kind(
    'neighbours',
    { request, neighbours, blocks: list(z.tuple([count, count]), MOST_SHARDS) },
    MIB,
    MANY,
  ),
  /** Compute what these tensor shards add to a step's logits. Answered by `logits`. */
  forward: kind('forward', { request, step: tensorStep, ...tensorShards }, 16 * MIB),
  /** The floats that the next pass takes: do it. Answered by `logits`. */
  onward: kind('onward', { request, values: binary }, 16 * MIB),
  /**
   * The floats that follow the last pass, such as the gradient at the logits: update the tensor shards. Answered by
   * `updated`.
   */
  backward: kind('backward', { request, values: binary }, 16 * MIB),
  /**
   * Do these steps again, for tensor shards that were lost elsewhere. given: the values of each exchange. Answered by
   * `updated`.
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
  /** Send the parameters and both moments of these tensor shards as arrays, then answer by `collected`. */
  collect: kind('collect', { request, model: denseSchema, shards: count.min(1), ...tensorShards }, 64 * KIB),
  /** Compute the SHA-256 of so many parameters. Answered by `digest`. */
  checksum: kind('checksum', { request, parameterCount: count }, KIB),
  /** The run is over, or the node may leave as it wished. Then the channel is closed. */
  bye: kind('bye', { reason: z.enum(['finished', 'left']) }, KIB),
  /** Answers `ask`. Then the channel is closed. */
  status: kind('status', { status: clusterStatus }, MIB, MANY),
} as const satisfies Record<string, MessageKind<Message>>;

/** Each answer says how many workers the node has lost so far. */
const answer = { request, lostWorkers: count };

/** From a node. */
export const TO_COORDINATOR = {
  /** First. */
  hello: kind('hello', { name: z.string().min(1).max(255), workers: count.min(1).max(4096) }, 2 * KIB),
  /** First, from a client that only wants the status of the run. */
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
  /** Up to twice as many sums as levels in the tree over tensor shards, each as long as the values that come back. */
  logits: kind('logits', { ...answer, sums: list(logits, MOST_SUMS) }, 64 * MIB),
  /** sha256: of the arrays that were sent before. */
  collected: kind('collected', { ...answer, sha256 }, KIB),
  digest: kind('digest', { ...answer, sha256 }, KIB),
  /** The request went wrong. The coordinator has it done elsewhere, and sends the node away. */
  failed: kind('failed', { ...answer, ...failure, code: failure.code.nullable() }, 16 * KIB),
  /** The node wants to leave: no further requests, and `bye` when the last is done. */
  leaving: kind('leaving', {}, KIB),
} as const satisfies Record<string, MessageKind<Message>>;

/** The messages that each side may begin with. */
export const FIRST_TO_NODE = ['welcome', 'refused', 'status'] as const satisfies (keyof typeof TO_NODE)[];
export const FIRST_TO_COORDINATOR = ['hello', 'ask'] as const satisfies (keyof typeof TO_COORDINATOR)[];

export type ToNode = z.output<(typeof TO_NODE)[keyof typeof TO_NODE]['schema']>;
/** The same with its model parsed and checked. */
export type ReadByNode = Read<ToNode>;
export type ToCoordinator = z.output<(typeof TO_COORDINATOR)[keyof typeof TO_COORDINATOR]['schema']>;

/** A node's end of its channel. */
export type CoordinatorChannel = Channel<ToCoordinator, ToNode>;
/** What a node or a client begins with. */
export type First = Extract<ToCoordinator, { kind: (typeof FIRST_TO_COORDINATOR)[number] }>;
export type Answer = Extract<ToCoordinator, { request: number }>;
/** An answer without the number of its request. */
export type Reply = ToCoordinator extends infer M
  ? M extends { request: number }
    ? Omit<M, 'request' | 'lostWorkers'>
    : never
  : never;

/** The kind of answer that each request has, besides `failed`. */
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

/** `failed` is an answer to every request. */
export type AnswerTo<R extends Request> = Extract<Answer, { kind: (typeof ANSWERS)[R['kind']] }>;
