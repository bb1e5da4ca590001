// Owns a node on another machine as the coordinator sees it: its arena is a mirror of the one here, brought up to date before each
// request, and its answers are checked before they count.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Arena } from '../../../src/engine/arena.js';
import type { ShardStep } from '../../../src/engine/executor.js';
import type { PredictResult, PredictTask } from '../../../src/engine/tasks.js';
import { PseudolabelError } from '../../../src/errors.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { BULK_KINDS, type First } from '../../../src/protocol/cluster-messages.js';
import type { NodeStatus } from '../../../src/protocol/status.js';
import { ArenaSync } from './arena-sync.js';
import { Liveness } from './liveness.js';
import { type Contribution, type Member, MemberLost } from './member.js';
import { activityOf, type NodeActivity } from './node-activity.js';
import { RemoteGradients } from './remote-gradients.js';
import { RemotePredictions } from './remote-predictions.js';
import { RemoteTensorShards } from './remote-tensor-shards.js';
import { RemoteUpdates } from './remote-updates.js';
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
  readonly arenaSync: ArenaSync;
  lostWorkers = 0;
  readonly slices: RemoteTensorShards;
  readonly updates: RemoteUpdates;
  /** Shards, or slices, of its last step. */
  shards = 0;
  private readonly uploads: Uploads;
  private readonly liveness: Liveness;
  private readonly sums: RemoteGradients;
  private readonly predictions: RemotePredictions;
  private readonly measured = new Speed();

  constructor(
    private readonly requests: Requests,
    /** The coordinator's. */
    private readonly arena: Arena,
    wire: GradientCodec,
    readonly workers: number,
    private readonly listener: RemoteListener,
  ) {
    requests.listener = this;
    this.uploads = new Uploads(requests, arena, wire, (reason) => this.late(reason));
    this.liveness = new Liveness(requests, this.uploads, {
      fellBehind: (reason) => listener.fellBehind(this, reason),
      caughtUp: () => listener.caughtUp(this),
      answered: () => listener.answered(),
      mayGo: () => void this.dismiss('left', wished()),
    });
    this.arenaSync = new ArenaSync(requests, arena, () => this.idle());
    const { arenaSync, uploads, measured: speed, liveness } = this;
    const lose = (message: string) => this.lose(message);
    this.sums = new RemoteGradients({ requests, arenaSync, uploads, speed, lose });
    this.predictions = new RemotePredictions(requests, arena, arenaSync, lose);
    this.slices = new RemoteTensorShards({
      ...{ requests, arena, arenaSync, speed, lose },
      isLeaving: () => liveness.isLeaving,
      holds: (count) => this.holds(count),
    });
    this.updates = new RemoteUpdates(requests, arenaSync);
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
    return this.liveness.isAvailable;
  }

  get state(): NodeStatus['state'] {
    return this.liveness.state;
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
    return this.isAvailable && !this.updates.isOpen && this.arenaSync.hasState(parameters);
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    this.checkRoom(steps[0]!.model);
    this.shards = steps.length;
    return this.sums.compute(steps);
  }

  async predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    this.checkRoom(model);
    return this.predictions.predict(model, set, ranges);
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
    this.sums.forgetRounding();
  }

  late(reason: MemberLost): void {
    this.forgetRounding();
    this.liveness.late(reason);
  }

  leaving(): void {
    this.liveness.leaves();
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    try {
      const kind = BULK_KINDS[tag.kind];
      if (kind !== 'sum') this.slices.frame(tag, payload);
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
    const lost = new MemberLost(this.name, reason);
    this.uploads.lost(lost);
    this.liveness.giveUp(lost);
    this.listener.left(this, reason);
  }

  /** Rejects when it is lost, or behind, while something is still to be done. */
  idle(): Promise<void> {
    return this.liveness.idle();
  }

  private holds(slices: number): void {
    this.shards = slices;
    this.liveness.holds(slices);
  }

  private checkRoom(model: Model): void {
    const { length } = layoutOf(model);
    if (length > this.arena.shape.parameters) throw new RangeError(`length ${length} of the model is beyond the arena`);
  }

  private lose(message: string): MemberLost {
    const reason = unexpected(`${this.name}: ${message}`);
    this.requests.expel(reason);
    return new MemberLost(this.name, reason);
  }
}

function wished(): PseudolabelError {
  return new PseudolabelError('E_CLOSED', 'it left as it wished', 'start it again when it should come back');
}
