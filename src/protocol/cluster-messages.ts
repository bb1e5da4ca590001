// Owns what a coordinator and a node say to each other: each kind of message with its schema and its longest length, and what long arrays are.
// The comments say when each is sent.
import { z } from 'zod';
import type { Channel, Message } from './channel.js';
import { type MessageKind, MOST_VALUES } from './codec.js';
import {
  binary,
  count,
  failure,
  fingerprints,
  gradientResult,
  list,
  logits,
  MOST_SHARDS,
  milliseconds,
  model,
  optimizer,
  predictResult,
  request,
  sha256,
  shape,
  slices,
  step,
  tensorStep,
  wire,
} from './fields.js';
import { clusterStatus } from './status.js';

/**
 * What a long array is, by its number on the wire. All but `sum` are parts of the node's arena that the coordinator fills; parameters and
 * moments come from the node, too, for the request `attempt`, where that is to collect them. `total` and `sum` travel in the precision that
 * the welcome names, all others as they are in the arena.
 */
export const BULK_KINDS = [
  'images',
  'evaluationImages',
  'pseudoLabels',
  'confidences',
  'parameters',
  'firstMoment',
  'secondMoment',
  'total',
  /** From the node: the sum of the subtree that begins with shard `index`, for the request `attempt`. */
  'sum',
] as const;

/** The parts of a node's arena that come from the coordinator. */
export type SentRegion = Exclude<(typeof BULK_KINDS)[number], 'sum'>;

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** Of a replay: more are not kept (coordinator/executors/cluster/cluster-executor.ts). */
const MOST_STEPS = 2 ** 12;
/** Twice the levels of a tree over as many slices as there can be. */
const MOST_SUMS = 64;

/** Of messages that say something of each of many shards or images: as many values as fit are soon decoded. */
const MANY = 2 ** 18;
/** The same of steps, from a coordinator to its nodes. */
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
 * From the coordinator. Each that has a `request` is answered once, by a message with the same number; numbers rise. The node does
 * one after another. Long arrays that come before a request are there when it is done.
 */
export const TO_NODE = {
  /** The answer to a hello: make an arena of this shape. wire: the precision of `total` and `sum`. Answered by `ready`. */
  welcome: kind('welcome', { request, shape, wire }, 4 * KIB),
  /** The other answer to a hello, and the last word to a node that is sent away. Trying again is of no use. */
  refused: kind('refused', failure, 16 * KIB),
  /**
   * Compute these shards' gradients, answer by `computed`, and send the sum of each subtree that they make up. goesOn: what rounding has
   * left of earlier sums is added to these; otherwise it is forgotten first.
   */
  gradients: kind(
    'gradients',
    { request, round: count, goesOn: z.boolean(), steps: list(step, MOST_SHARDS, 1) },
    16 * MIB,
    VERY_MANY,
  ),
  /** The total has been sent: update the parameters by it. Answered by `updated`. */
  update: kind('update', { request, model, optimizer }, 64 * KIB),
  /** Answered by `predicted`. */
  predict: kind(
    'predict',
    { request, model, set: z.enum(['unlabelled', 'evaluation']), ranges: list(z.tuple([count, count]), MOST_SHARDS) },
    MIB,
    MANY,
  ),
  /** Compute what these slices add to a step's logits. Answered by `logits`. */
  forward: kind('forward', { request, step: tensorStep, ...slices }, 16 * MIB),
  /** What the last pass led to, floats: do the next. Answered by `logits`. */
  onward: kind('onward', { request, values: binary }, 16 * MIB),
  /** The same after the last pass, such as the gradient at the logits: update its slices. Answered by `updated`. */
  backward: kind('backward', { request, values: binary }, 16 * MIB),
  /** Do these steps, one after another, for slices that were lost elsewhere. given: the values of each exchange. Answered by `updated`. */
  replay: kind(
    'replay',
    {
      request,
      ...slices,
      steps: list(z.strictObject({ step: tensorStep, given: list(binary, 3, 1) }), MOST_STEPS, 1),
    },
    16 * MIB,
    VERY_MANY,
  ),
  /** Send the state of slices: parameters, then both moments, as arrays; then answer by `collected`. */
  collect: kind('collect', { request, model, shards: count.min(1), ...slices }, 64 * KIB),
  /** Answered by `digest`: of so many parameters. */
  checksum: kind('checksum', { request, parameters: count }, KIB),
  /** The run is over, or the node may go as it wished. The channel is closed after it. */
  bye: kind('bye', { reason: z.enum(['finished', 'left']) }, KIB),
  /** The answer to `ask`; the channel is closed after it. */
  status: kind('status', { status: clusterStatus }, MIB, MANY),
} as const satisfies Record<string, MessageKind<Message>>;

/** Workers that were lost since the node was made come with each answer. */
const answer = { request, lostWorkers: count };

/** From a node. */
export const TO_COORDINATOR = {
  /** First. fingerprints: of the node's numerics (engine/fingerprint.ts). */
  hello: kind('hello', { name: z.string().min(1).max(255), workers: count.min(1).max(4096), fingerprints }, 2 * KIB),
  /** First, from someone who only wants to know what the run is doing. */
  ask: kind('ask', {}, KIB),
  ready: kind('ready', answer, KIB),
  /** milliseconds: all of them together; parts of the sums may have come before. */
  computed: kind('computed', { ...answer, results: list(gradientResult, MOST_SHARDS), milliseconds }, MIB, MANY),
  updated: kind('updated', { ...answer, milliseconds }, KIB),
  predicted: kind('predicted', { ...answer, results: list(predictResult, MOST_SHARDS) }, MIB, MANY),
  /** Up to twice as many sums as levels in the tree over slices, each as long as the gradient that comes down. */
  logits: kind('logits', { ...answer, sums: list(logits, MOST_SUMS) }, 64 * MIB),
  /** sha256: of what was sent before. */
  collected: kind('collected', { ...answer, sha256 }, KIB),
  digest: kind('digest', { ...answer, sha256 }, KIB),
  /** The request went wrong: the coordinator has it done elsewhere, and lets the node go. */
  failed: kind('failed', { ...answer, ...failure, code: failure.code.nullable() }, 16 * KIB),
  /** The node wants to go: no further requests, and `bye` when the last is done. */
  leaving: kind('leaving', {}, KIB),
} as const satisfies Record<string, MessageKind<Message>>;

/** What each side of a channel begins with. */
export const FIRST_TO_NODE = ['welcome', 'refused', 'status'] as const satisfies (keyof typeof TO_NODE)[];
export const FIRST_TO_COORDINATOR = ['hello', 'ask'] as const satisfies (keyof typeof TO_COORDINATOR)[];

export type ToNode = z.output<(typeof TO_NODE)[keyof typeof TO_NODE]['schema']>;
export type ToCoordinator = z.output<(typeof TO_COORDINATOR)[keyof typeof TO_COORDINATOR]['schema']>;

/** A node's end of its channel. */
export type CoordinatorChannel = Channel<ToCoordinator, ToNode>;
/** What a channel begins with. */
export type First = Extract<ToCoordinator, { kind: (typeof FIRST_TO_COORDINATOR)[number] }>;
export type Answer = Extract<ToCoordinator, { request: number }>;
/** An answer before it is known to which request. */
export type Reply = ToCoordinator extends infer M
  ? M extends { request: number }
    ? Omit<M, 'request' | 'lostWorkers'>
    : never
  : never;

export const ANSWERS = {
  welcome: 'ready',
  gradients: 'computed',
  update: 'updated',
  predict: 'predicted',
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
