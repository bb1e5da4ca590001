// Owns a node on another machine as the coordinator sees it: its arena is a mirror of the one here, brought up to date before each
// request, and its answers are checked before they count.
import { subtreesOf } from '../../src/collectives/tree.js';
import type { Arena } from '../../src/engine/arena.js';
import { layoutOf, type Model } from '../../src/engine/model.js';
import { storePseudoLabels } from '../../src/engine/predict.js';
import type { Wire } from '../../src/engine/wire.js';
import { PseudolabelError } from '../../src/errors.js';
import type { BulkTag } from '../../src/protocol/channel.js';
import { BULK_KINDS, type First, type NodeStatus, toWire } from '../../src/protocol/messages.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { OptimizerStep, PredictResult, PredictTask } from '../../src/protocol/tasks.js';
import { activityOf, type NodeActivity } from './activity.js';
import { type Contribution, type Member, MemberLost, rowsOfResults } from './member.js';
import { predictInBatches } from './prediction.js';
import { RemoteFactors } from './remote-factors.js';
import { RemoteSlices } from './remote-slices.js';
import { Replica } from './replica.js';
import { type Requests, type RequestsListener, unexpected } from './requests.js';
import { Speed } from './speed.js';
import { Uploads } from './uploads.js';

export interface RemoteListener {
  /** It has been lost, or has gone as it wished. */
  left(node: RemoteNode, reason: PseudolabelError): void;
  /** It did not answer in time, and is left out until it does. */
  fellBehind(node: RemoteNode, reason: MemberLost): void;
  caughtUp(node: RemoteNode): void;
  /** It may have become available. */
  answered(): void;
}

export class RemoteNode implements Member, RequestsListener {
  readonly replica: Replica;
  lostWorkers = 0;
  readonly slices: RemoteSlices;
  readonly factors: RemoteFactors;
  /** Shards, or slices, of its last step. */
  shards = 0;
  private readonly uploads: Uploads;
  private readonly measured = new Speed();
  /** Of its last sums: those of the same stage go on with what rounding left of them. */
  private lastStage: number | undefined;
  private isLeaving = false;
  private isUpdating = false;
  private holdsSlices = false;
  private isLeftOut = false;
  private waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];

  constructor(
    private readonly requests: Requests,
    /** The coordinator's. */
    private readonly arena: Arena,
    wire: Wire,
    readonly workers: number,
    private readonly listener: RemoteListener,
  ) {
    requests.listener = this;
    this.uploads = new Uploads(requests, arena, wire, (reason) => this.late(reason));
    this.replica = new Replica(requests, arena, () => this.idle());
    this.slices = new RemoteSlices({
      ...{ requests, arena, replica: this.replica, speed: this.measured },
      isLeaving: () => this.isLeaving,
      lose: (message) => this.lose(message),
      holds: (count) => this.holds(count),
    });
    this.factors = new RemoteFactors(requests, this.replica, (message) => this.lose(message));
  }

  get name(): string {
    return this.requests.name;
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  passedOver(): void {
    this.measured.rested();
  }

  /** At which its sums come in, in Gbit/s; undefined before the first. */
  get gigabits(): number | undefined {
    return this.uploads.gigabits;
  }

  /** Whether it takes requests. */
  get isAvailable(): boolean {
    return this.state === 'working' && !this.requests.isClosed;
  }

  get state(): NodeStatus['state'] {
    if (this.isLeaving) return 'leaving';
    return this.requests.isBehind || this.uploads.areLate ? 'behind' : 'working';
  }

  get activity(): NodeActivity {
    return this.state === 'working' ? activityOf(this.requests.awaited, !this.uploads.areComplete) : this.state;
  }

  get status(): NodeStatus {
    const { name, workers, state, shards, lostWorkers, speed } = this;
    const { peer, traffic } = this.requests.channel;
    const rowsPerSecond = speed === undefined ? null : speed * 1000;
    const bytes = { bytesSent: traffic.sent, bytesReceived: traffic.received };
    return { name, address: peer, workers, state, rowsPerSecond, shards, lostWorkers, ...bytes };
  }

  /**
   * Whether it is there, with parameters and moments as they are here. One that had no shards may still be at its last update, which
   * reads the total that the next would be sent to.
   */
  isInStep(parameters: number): boolean {
    return this.isAvailable && !this.isUpdating && this.replica.hasState(parameters);
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    const { model, shards, stage, unlabelled } = steps[0]!;
    const length = this.parametersOf(model);
    await this.replica.bringState(length);
    for (const step of steps) await this.replica.bringShard(step);

    const request = this.requests.next();
    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const upload = this.uploads.begin(request, subtrees, length);
    this.shards = steps.length;
    const work = `gradients of stage ${stage}, ${unlabelled?.pseudoLabels ?? 'labelled'}`;
    const { step: round, stage: of } = steps[0]!;
    const goesOn = this.lastStage === of;
    const message = { kind: 'gradients', request, round, goesOn, steps: steps.map(toWire) } as const;
    this.lastStage = of;
    try {
      const { results, milliseconds } = await this.requests.ask(message, work, rowsOf(steps));
      if (results.length !== steps.length)
        throw this.lose(`it sent ${results.length} results for ${steps.length} shards`);
      // As it says: by the clock here it would be what its link takes as well, which is the same for any number of shards.
      this.measured.add(rowsOfResults(results), milliseconds);
      this.uploads.expect(upload);
      return { results, subtrees, arrived: (floats) => upload.arrived(floats) };
    } catch (error) {
      this.forgetRounding();
      upload.revoke(error);
      throw error;
    }
  }

  async predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    await this.replica.bringParameters(this.parametersOf(model));
    await this.replica.bringImages(set, ranges);
    if (set === 'unlabelled') this.replica.labelsChanged(ranges);

    const work = `labels by a model of ${layoutOf(model).length} parameters`;
    const results = await predictInBatches(
      ranges,
      async (parts, images) => {
        const message = { kind: 'predict', request: this.requests.next(), model, set, ranges: parts } as const;
        return (await this.requests.ask(message, work, images)).results;
      },
      () => this.lose('its labels do not fit the images'),
    );
    if (set === 'evaluation') return results.map((result) => ({ ...result, flips: 0 }));
    this.replica.labelsAlike(ranges);
    return results.map((result, i) => ({ ...result, flips: storePseudoLabels(this.arena, ranges[i]![0], result) }));
  }

  /** Sends a part of the total, behind so many bytes that were sent before. It must not change before sent() resolves. */
  sendTotal(step: number, offset: number, payload: Uint8Array): void {
    // Whether it got there shows when it is needed next.
    this.replica.sendTotal(step, offset, payload).catch(() => undefined);
  }

  /** Resolves when all that was to be sent has been sent, or the node is lost. */
  sent(): Promise<void> {
    return this.requests.sent();
  }

  /** Has it update its parameters by the total that it was sent. Nobody waits for it: the next request is done after it. */
  update(model: Model, optimizer: OptimizerStep): void {
    const counted = this.factors.told();
    const message = { kind: 'update', request: this.requests.next(), model, optimizer, counted } as const;
    this.isUpdating = true;
    const updated = () => {
      this.isUpdating = false;
    };
    this.requests.ask(message, 'update', 1).then(updated, (error: unknown) => {
      updated(); // or behind, or lost
      if (!(error instanceof MemberLost)) this.lose(`its update failed: ${error}`);
    });
  }

  /** Hex SHA-256 of its parameters. */
  async checksum(parameters: number): Promise<string> {
    const message = { kind: 'checksum', request: this.requests.next(), parameters } as const;
    return (await this.requests.ask(message, 'checksum', 1)).sha256;
  }

  /** Says that the run is over, and closes. */
  async dismiss(why: 'finished' | 'left', reason: PseudolabelError): Promise<void> {
    await this.requests.send({ kind: 'bye', reason: why }).catch(() => undefined);
    this.requests.close(reason);
  }

  first({ kind }: First): void {
    this.lose(`it sent ${kind} a second time`);
  }

  /** Sums that it sent may not have counted, or the next ones are of something else: its rounding begins anew. */
  forgetRounding(): void {
    this.lastStage = undefined;
  }

  late(reason: MemberLost): void {
    this.forgetRounding();
    this.giveUp(reason);
    if (this.isLeftOut) return;
    this.isLeftOut = true;
    this.listener.fellBehind(this, reason);
  }

  leaving(): void {
    this.isLeaving = true;
    this.settled();
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    try {
      const kind = BULK_KINDS[tag.kind];
      if (kind === 'left' || kind === 'right') this.factors.frame(tag, payload);
      else if (kind !== 'sum') this.slices.frame(tag, payload);
      else if (this.uploads.frame(tag, payload)) this.settled();
    } catch (error) {
      this.requests.close(error as PseudolabelError);
    }
  }

  answered({ lostWorkers, request, kind }: Parameters<RequestsListener['answered']>[0]): void {
    this.lostWorkers = lostWorkers;
    if (kind === 'failed') this.uploads.failed(request);
    this.settled();
  }

  closed(reason: PseudolabelError): void {
    const lost = new MemberLost(this.name, reason);
    this.uploads.lost(lost);
    this.giveUp(lost);
    this.listener.left(this, reason);
  }

  /** Something ended: what waits for that goes on. */
  private settled(): void {
    if (this.isLeftOut && this.state !== 'behind') {
      this.isLeftOut = false;
      this.listener.caughtUp(this);
    }
    this.listener.answered();
    if (!this.isIdle) return;
    for (const { resolve } of this.waiting.splice(0)) resolve();
    // The state of its slices is fetched first.
    if (this.isLeaving && !this.holdsSlices) void this.dismiss('left', wished());
  }

  private holds(slices: number): void {
    this.holdsSlices = slices > 0;
    this.shards = slices;
    this.settled();
  }

  private giveUp(reason: MemberLost): void {
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }

  private get isIdle(): boolean {
    return this.requests.isIdle && this.uploads.areComplete;
  }

  /** Rejects when it is lost, or behind, while something is still to be done. */
  idle(): Promise<void> {
    if (this.isIdle) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private parametersOf(model: Model): number {
    const { length } = layoutOf(model);
    if (length > this.arena.shape.parameters) throw new RangeError(`length ${length} of the model is beyond the arena`);
    return length;
  }

  private lose(message: string): MemberLost {
    const reason = unexpected(`${this.name}: ${message}`);
    this.requests.close(reason);
    return new MemberLost(this.name, reason);
  }
}

function rowsOf(steps: readonly ShardStep[]): number {
  return steps.reduce((sum, { labelled, unlabelled, shards }) => {
    return sum + (labelled?.labels.length ?? 0) + (unlabelled?.batch ?? 0) / shards;
  }, 0);
}

function wished(): PseudolabelError {
  return new PseudolabelError('E_CLOSED', 'it left as it wished', 'start it again when it should come back');
}
