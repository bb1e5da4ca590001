// Checks what a coordinator asks of a node and writes into its arena. It must fit the arena that the coordinator had
// the node make.

import type { GradientCodec } from '../src/collectives/gradient-codec.js';
import { MOST_CLASSES } from '../src/data/dataset.js';
import { shardRange } from '../src/data/shards.js';
import type { ArenaShape } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import { parseJson } from '../src/files/read.js';
import { methodNamed } from '../src/methods/methods.js';
import { isTensorParallel } from '../src/models/dense/tensor-blocks.js';
import { rowCountsOf, tensorShardCount, tensorShardRoom } from '../src/models/dense/tensor-layout.js';
import { paddedRows } from '../src/models/kind.js';
import { type Model, modelSchema } from '../src/models/model.js';
import { ModelReader } from '../src/models/model-text.js';
import { inputsOf, outputsOf, parameterCount, workspaceBytesOf } from '../src/models/models.js';
import { PREDICT_ROWS } from '../src/models/predict.js';
import type { TensorShardRange, TensorStep } from '../src/models/tensor-tasks.js';
import type { BulkTag } from '../src/protocol/channel.js';
import { BULK_KINDS, type ReadByNode, type SentRegion } from '../src/protocol/cluster-messages.js';
import type { WireStep } from '../src/protocol/fields.js';
import { writeImages } from '../src/protocol/image-codec.js';
import { labelsOf } from '../src/protocol/tensor-codec.js';
import type { ThreadExecutor } from './thread-executor.js';

type Asked = Extract<ReadByNode, { request: number }>;

export function notAsked(what: string): PseudolabelError {
  return new PseudolabelError('E_PROTOCOL', `the coordinator sent ${what}`, 'run the same version on all machines');
}

/** Returns a reader of what a coordinator sends. It throws E_PROTOCOL for a text that is not a model. */
export const readerOfAsked = (): ModelReader =>
  new ModelReader((text) => {
    try {
      return modelSchema.parse(parseJson(text));
    } catch {
      throw notAsked('a text that is no model');
    }
  });

/** Throws E_PROTOCOL for a request that does not fit the arena. It would use memory outside of its regions. */
export function checkAsked(message: Exclude<Asked, { kind: 'welcome' }>, shape: ArenaShape): void {
  if (!fits(message, shape)) throw notAsked(`a request '${message.kind}' that does not fit the run`);
}

function fits(message: Exclude<Asked, { kind: 'welcome' }>, shape: ArenaShape): boolean {
  switch (message.kind) {
    case 'gradients':
      return areSteps(message, shape);
    case 'update':
      return isModel(message.model, shape) && (message.optimizer.average === undefined || shape.averages === true);
    case 'predict': {
      const images = message.set === 'unlabelled' ? shape.unlabelled : shape.evaluation;
      const areWithin = message.ranges.every(([start, end]) => start <= end && end <= images);
      return areWithin && canPredict(message.model, shape);
    }
    case 'forward':
      return isTensorParallelStep(message.step, message, shape);
    case 'replay':
      return message.steps.every(({ step }) => isTensorParallelStep(step, message, shape));
    case 'collect':
      return isCut(message.model, message.shards, message, shape);
    case 'checksum':
      return message.parameterCount <= shape.parameterCount;
    case 'onward':
    case 'backward':
      return true; // It is checked against the pass before it (node-requests.ts).
    case 'describe':
    case 'rows':
    case 'neighbours':
      return true; // They are checked where they are done (graph-host.ts).
  }
}

function isModel(model: Model, shape: ArenaShape): boolean {
  const { pixels } = shape;
  const outputs = outputsOf(model);
  return (
    inputsOf(model) === pixels &&
    (model.objective === 'reconstruction' ? outputs === pixels : outputs <= MOST_CLASSES) &&
    parameterCount(model) <= shape.parameterCount
  );
}

const hasWorkspace = (model: Model, rows: number, training: boolean, { workspaceBytes }: ArenaShape): boolean =>
  workspaceBytesOf(model, paddedRows(rows), training) <= workspaceBytes;

export const canPredict = (model: Model, shape: ArenaShape): boolean =>
  isModel(model, shape) && hasWorkspace(model, PREDICT_ROWS, false, shape);

/** Returns whether these are the steps of one request. */
function areSteps({ model, steps }: Extract<Asked, { kind: 'gradients' }>, shape: ArenaShape): boolean {
  const shards = new Set(steps.map(({ shard }) => shard));
  return shards.size === steps.length && isModel(model, shape) && steps.every((step) => isStep(model, step, shape));
}

function isStep(model: Model, step: WireStep, shape: ArenaShape): boolean {
  const { shard, shards, labelled, labelledBatch, unlabelled, augment } = step;
  if (shard >= shards || shards > shape.shards) return false;
  if (augment && augment.height * augment.width * augment.channels !== shape.pixels) return false;
  const units = outputsOf(model);
  const { images, labels: bytes } = labelled ?? { images: new Uint8Array(), labels: new Uint8Array() };
  const labels = labelsOf(bytes);
  const [start, end] = shardRange(shape.unlabelled, shards, shard);
  const [first, last] = shardRange(unlabelled?.batch ?? 0, shards, shard);
  const rows = labels.length + last - first;
  return (
    bytes.length === labels.length * 2 &&
    images.length === labels.length * shape.pixels &&
    labels.length <= labelledBatch &&
    labels.every((label) => label < units) &&
    (last === first || start < end) &&
    (unlabelled?.logitShift ?? []).length % units === 0 &&
    Object.values(unlabelled?.settings ?? {}).every((each) => typeof each === 'number' || each.length === units) &&
    (unlabelled?.teacher === undefined || shape.averages === true) &&
    // The targets of a reconstruction are as long as its inputs, and do not fit where those of classes go.
    (!unlabelled || methodNamed(unlabelled.method).reconstructs === (model.objective === 'reconstruction')) &&
    (rows === 0 || hasWorkspace(model, rows, true, shape))
  );
}

function isTensorParallelStep(step: TensorStep, range: TensorShardRange, shape: ArenaShape): boolean {
  const rows = step.labelledImages.length / shape.pixels;
  if (!Number.isInteger(rows) || !isCut(step.model, step.shards, range, shape)) return false;
  const { tensorShardBytes, shardGroupBytes } = tensorShardRoom(
    step.model,
    rowCountsOf(rows, step),
    tensorShardCount(step.model, step.shards),
  );
  const hasRows = step.unlabelledBatch === 0 || shape.unlabelled >= step.shards;
  return (
    hasRows && tensorShardBytes <= (shape.tensorShardBytes ?? 0) && shardGroupBytes <= (shape.shardGroupBytes ?? 0)
  );
}

const isCut = (model: Model, shards: number, { first, end }: TensorShardRange, shape: ArenaShape): boolean =>
  shards <= shape.shards &&
  isModel(model, shape) &&
  isTensorParallel(model) &&
  first < end &&
  end <= tensorShardCount(model, shards);

/** The number of floats of a total that are rounded together. */
const WHOLE = 8;

/** The bytes of a region, and of its smallest part that is not split, as they are sent. */
interface Room {
  readonly bytes: number;
  readonly unit: number;
}

/** Writes what a coordinator sends into the arena. */
export class ArenaWriter {
  private readonly rooms: Readonly<Record<SentRegion, Room>>;

  constructor(
    private readonly executor: ThreadExecutor,
    private readonly wire: GradientCodec,
  ) {
    const { unlabelled, parameterCount, averages = false } = executor.arena.shape;
    const vector = { bytes: parameterCount * 4, unit: 4 };
    this.rooms = {
      pseudoLabels: { bytes: unlabelled * 2, unit: 2 },
      confidences: { bytes: unlabelled * 4, unit: 4 },
      parameters: vector,
      firstMoment: vector,
      secondMoment: vector,
      average: averages ? vector : { bytes: 0, unit: 4 },
      total: { bytes: wire.bytes(parameterCount), unit: wire.bytes(WHOLE) },
    };
  }

  /** Writes a part of an array. Returns false if it does not fit the arena. A coordinator does not send such a part. */
  write(tag: BulkTag, payload: Uint8Array): boolean {
    const region = BULK_KINDS[tag.kind];
    if (region === undefined || region === 'sum') return false;
    if (region === 'unlabelled' || region === 'evaluation')
      return writeImages(tag, payload, this.executor.arena.images[region]);
    const { offset } = tag;
    const { bytes, unit } = this.rooms[region];
    if (offset + payload.length > bytes || offset % unit !== 0 || payload.length % unit !== 0) return false;
    const { memory, regions } = this.executor.arena;
    if (region === 'total') this.wire.decode(payload, regions.total, offset);
    else new Uint8Array(memory.buffer, regions[region] + offset, payload.length).set(payload);
    return true;
  }
}
