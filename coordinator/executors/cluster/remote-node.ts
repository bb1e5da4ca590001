// Makes a node one of the machines of a cluster. Its arena is brought up to date with the coordinator's before each
// request, and its answers are checked before they are used.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { subtreesOf } from '../../../src/collectives/tree.js';
import { shardRange } from '../../../src/data/shards.js';
import type { Arena } from '../../../src/engine/arena.js';
import type { OptimizerStep } from '../../../src/engine/optimizer.js';
import type { PseudolabelError } from '../../../src/errors.js';
import type { Model } from '../../../src/models/model.js';
import { ModelWriter } from '../../../src/models/model-text.js';
import { parameterCount } from '../../../src/models/models.js';
import type { PredictResult, PredictTask } from '../../../src/models/tasks.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { BULK_KINDS, type First, type ImageSet, type SentRegion } from '../../../src/protocol/cluster-messages.js';
import { toWire } from '../../../src/protocol/fields.js';
import { ImageEncoder, imagePieces } from '../../../src/protocol/image-codec.js';
import { MAX_BULK } from '../../../src/protocol/limits.js';
import type { NodeStatus } from '../../../src/protocol/status.js';
import type { Ranges, ShardStep } from '../../../src/training/executor.js';
import { ArenaSync } from '../arena-sync.js';
import { unexpectedError, wished } from '../failures.js';
import { predictElsewhere } from '../prediction.js';
import { Liveness } from './liveness.js';
import { type Contribution, type Machine, MachineLost, rowsOfResults, rowsOfSteps, Speed } from './machine.js';
import { RemoteGraph } from './remote-graph.js';
import { RemoteTensorShards, type TensorNode } from './remote-tensor-shards.js';
import { areLabelsOf, areResultsOf } from './reply-checks.js';
import type { Requests, RequestsListener } from './requests.js';
import { activityOf, type NodeActivity } from './status.js';
import { Upload, Uploads } from './uploads.js';

export interface RemoteListener {
  /** The node has been lost, or has left as it wished. */
  left(node: RemoteNode, reason: PseudolabelError): void;
  /** The node did not answer in time, and is left out until it does. */
  fellBehind(node: RemoteNode, reason: MachineLost): void;
  caughtUp(node: RemoteNode): void;
  /** The node may have become available. */
  answered(): void;
}

export class RemoteNode implements Machine, TensorNode, RequestsListener {
  readonly arenaSync: ArenaSync;
  readonly tensorShards: RemoteTensorShards;
  readonly graph: RemoteGraph;
  /** Writes the models that the node is told of. */
  readonly models = new ModelWriter();
  readonly measured = new Speed();
  lostWorkers = 0;
  /** The number of shards, or of tensor shards, of its last step. */
  private shards = 0;
  private readonly images = new ImageEncoder();
  private readonly uploads: Uploads;
  private readonly liveness: Liveness;
  /** The stage of its last sums. Sums of the same stage continue with the rounding errors of the previous ones. */
  private lastStage: number | undefined;
  /** Whether the node may still be doing its last update. */
  private isUpdating = false;

  /** arena: the coordinator's arena. */
  constructor(
    readonly requests: Requests,
    readonly arena: Arena,
    private readonly codec: GradientCodec,
    readonly workers: number,
    private readonly listener: RemoteListener,
  ) {
    requests.listener = this;
    this.uploads = new Uploads(requests, (reason) => this.late(reason));
    this.liveness = new Liveness(requests, this.uploads, {
      fellBehind: (reason) => listener.fellBehind(this, reason),
      caughtUp: () => listener.caughtUp(this),
      answered: () => listener.answered(),
      mayGo: () => void this.dismiss('left', wished()),
    });
    const sendRegion = async (region: SentRegion, start: number, end: number): Promise<void> => {
      // The node may still be reading or writing there. Images are not affected, because they do not change.
      await this.idle();
      const tag = { kind: BULK_KINDS.indexOf(region), step: 0, index: 0, attempt: 0, offset: start };
      const { memory, regions } = arena;
      await requests.sendBulk(tag, new Uint8Array(memory.buffer, regions[region] + start, end - start));
    };
    this.arenaSync = new ArenaSync(arena, MAX_BULK, sendRegion, (...of) => this.sendImages(...of));
    this.tensorShards = new RemoteTensorShards(this);
    this.graph = new RemoteGraph(this);
  }

  get name(): string {
    return this.requests.name;
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  /** The rate at which its sums arrive, in Gbit/s; undefined before the first. */
  get gigabits(): number | undefined {
    return this.uploads.gigabits;
  }

  /** Whether the node takes requests. */
  get isAvailable(): boolean {
    return this.liveness.isAvailable;
  }

  get isLeaving(): boolean {
    return this.liveness.isLeaving;
  }

  get activity(): NodeActivity {
    const { state } = this.liveness;
    return state === 'working' ? activityOf(this.requests.awaited, !this.uploads.areComplete) : state;
  }

  get status(): NodeStatus {
    const { name, workers, shards, lostWorkers, speed } = this;
    const { state } = this.liveness;
    const { peer, traffic } = this.requests.channel;
    const { sent: bytesSent, received: bytesReceived } = traffic;
    const rowsPerSecond = speed === undefined ? null : speed * 1000;
    return { name, address: peer, workers, state, rowsPerSecond, shards, lostWorkers, bytesSent, bytesReceived };
  }

  /**
   * Returns whether the node is available with the same parameters and moments as here. A node without shards may still
   * be doing its last update. That update reads the total, which the next one would overwrite.
   */
  isInStep(parameterCount: number): boolean {
    return this.isAvailable && !this.isUpdating && this.arenaSync.hasState(parameterCount);
  }

  skippedStep(): void {
    this.measured.skippedStep();
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    const { requests, arena, arenaSync, uploads } = this;
    const { model, shards, stage, step: round, unlabelled } = steps[0]!;
    const length = parameterCount(model);
    this.shards = steps.length;
    await arenaSync.bringState(length);
    for (const step of steps) await arenaSync.bringRows(step, shardRange(arena.shape.unlabelled, shards, step.shard));

    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const upload = new Upload(arena, this.codec, subtrees, length);
    const [goesOn, text] = [this.lastStage === stage, this.models.text(model)];
    const question = { kind: 'gradients', round, goesOn, model: text, steps: steps.map(toWire) } as const;
    const work = `gradients of stage ${stage}, ${unlabelled?.pseudoLabels ?? 'labelled'}`;
    this.lastStage = stage;
    try {
      const numbered = (request: number) => uploads.begin(request, upload);
      const { results, milliseconds } = await requests.ask(question, work, rowsOfSteps(steps), numbered);
      if (!areResultsOf(results, steps)) throw this.lose('its results are not those of its shards');
      // Takes the time that the node measured. A time measured here would include the network's, which is the same for
      // any number of shards.
      this.measured.add(rowsOfResults(results), milliseconds);
      uploads.expect(upload);
      const lost = () => new MachineLost(requests.name, 'its shards are computed again here');
      return {
        results,
        subtrees,
        arrived: (floats) => upload.arrived(floats),
        elsewhere: { revoke: () => upload.revoke(lost()), lose: (message) => this.lose(message) },
      };
    } catch (error) {
      this.forgetRounding();
      upload.revoke(error);
      throw error;
    }
  }

  /**
   * Restarts the node's rounding, because the sums that it sent may not have counted, or the next ones are of other
   * gradients.
   */
  forgetRounding(): void {
    this.lastStage = undefined;
  }

  private async sendImages(set: ImageSet, start: number, end: number): Promise<void> {
    const { requests, arena, images: encoder } = this;
    const kind = BULK_KINDS.indexOf(set);
    for (const piece of imagePieces(start, end, arena.shape.pixels, MAX_BULK)) {
      const { tag, payload } = await encoder.encode(arena.images[set], piece);
      await requests.sendBulk({ kind, attempt: 0, ...tag }, payload);
    }
  }

  /** Sends a part of the total, at this offset in bytes. The payload must not change before sent() resolves. */
  sendTotal(step: number, offset: number, payload: Uint8Array): void {
    const tag = { kind: BULK_KINDS.indexOf('total'), step, index: 0, attempt: 0, offset };
    // A failure shows when the node is needed next.
    this.requests.sendBulk(tag, payload).catch(() => undefined);
  }

  /** Resolves when everything has been sent, or the node is lost. */
  sent(): Promise<void> {
    return this.requests.sent();
  }

  /**
   * Has the node update its parameters by the total that it was sent. Nothing waits for this; the node does the next
   * request after it.
   */
  update(model: Model, optimizer: OptimizerStep): void {
    this.isUpdating = true;
    const updated = () => {
      this.isUpdating = false;
    };
    const request = { kind: 'update', model: this.models.text(model), optimizer } as const;
    this.requests.ask(request, 'update', 1).then(updated, updated); // The second case is that it is behind or lost.
  }

  /** Returns the SHA-256 of its parameters in hex. */
  async checksum(parameterCount: number): Promise<string> {
    return (await this.requests.ask({ kind: 'checksum', parameterCount }, 'checksum', 1)).sha256;
  }

  async predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    const { requests, arena, arenaSync } = this;
    const length = parameterCount(model);
    await arenaSync.bringParameters(length);
    await arenaSync.bringImages(set, ranges);
    if (set === 'unlabelled') arenaSync.labelsChanged(ranges);
    const work = `labels by a model of ${length} parameters`;
    const ask = async (parts: [number, number][], images: number) => {
      const request = { kind: 'predict', model: this.models.text(model), set, ranges: parts } as const;
      return (await requests.ask(request, work, images)).results;
    };
    const misfit = () => this.lose('its labels do not fit the images, or are no classes of the model');
    const areLabels = (classes: Uint16Array, confidences: Float32Array) => areLabelsOf(model, classes, confidences);
    const results = await predictElsewhere(arena, set, ranges, ask, misfit, areLabels);
    if (set === 'unlabelled') arenaSync.labelsAlike(ranges);
    return results;
  }

  /** Sets the number of tensor shards that the node owns. */
  owns(tensorShards: number): void {
    this.shards = tensorShards;
    this.liveness.owns(tensorShards);
  }

  /** Resolves when the node has nothing left to do. Rejects if it is lost or falls behind before that. */
  idle(): Promise<void> {
    return this.liveness.idle();
  }

  /** Ends the connection because of what the node sent. */
  lose(message: string): MachineLost {
    const reason = unexpectedError(`${this.name}: ${message}`);
    this.requests.expel(reason);
    return new MachineLost(this.name, reason);
  }

  /** Tells the node that the run is over, and closes the connection. */
  async dismiss(why: 'finished' | 'left', reason: PseudolabelError): Promise<void> {
    await this.requests.send({ kind: 'bye', reason: why }).catch(() => undefined);
    this.requests.close(reason);
  }

  first({ kind }: First): void {
    this.lose(`it sent ${kind} a second time`);
  }

  late(reason: MachineLost): void {
    this.forgetRounding();
    this.liveness.late(reason);
  }

  leaving(): void {
    this.liveness.leaves();
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    try {
      if (BULK_KINDS[tag.kind] !== 'sum') this.tensorShards.frame(tag, payload);
      else if (this.uploads.frame(tag, payload)) this.liveness.settled();
    } catch (error) {
      this.requests.expel(error as PseudolabelError);
    }
  }

  answered({ lostWorkers, request, kind }: Parameters<RequestsListener['answered']>[0]): void {
    this.lostWorkers = lostWorkers;
    if (kind === 'failed') this.uploads.failed(request);
    this.liveness.settled();
  }

  closed(reason: PseudolabelError): void {
    const lost = new MachineLost(this.name, reason);
    this.uploads.lost(lost);
    this.liveness.giveUp(lost);
    this.listener.left(this, reason);
  }
}
