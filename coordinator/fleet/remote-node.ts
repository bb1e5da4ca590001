// Owns a node on another machine as the coordinator sees it: its arena is a mirror of the one here, brought up to date before each
// request, and its answers are checked before they count.
import type { Arena } from '../../src/engine/arena.js';
import { layoutOf, type Model } from '../../src/engine/model.js';
import type { Wire } from '../../src/engine/wire.js';
import { PseudolabelError } from '../../src/errors.js';
import type { BulkTag } from '../../src/protocol/channel.js';
import { BULK_KINDS, type First } from '../../src/protocol/messages.js';
import type { ShardStep } from '../../src/protocol/node.js';
import type { NodeStatus } from '../../src/protocol/status.js';
import type { PredictResult, PredictTask } from '../../src/protocol/tasks.js';
import { activityOf, type NodeActivity } from './activity.js';
import { type Contribution, type Member, MemberLost } from './member.js';
import { RemoteGradients } from './remote-gradients.js';
import { RemotePredictions } from './remote-predictions.js';
import { RemoteSlices } from './remote-slices.js';
import { RemoteUpdates } from './remote-updates.js';
import { Replica } from './replica.js';
import { type Requests, type RequestsListener, unexpected } from './requests.js';
import { Speed } from './speed.js';
import { Standing } from './standing.js';
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
  readonly updates: RemoteUpdates;
  /** Shards, or slices, of its last step. */
  shards = 0;
  private readonly uploads: Uploads;
  private readonly standing: Standing;
  private readonly sums: RemoteGradients;
  private readonly predictions: RemotePredictions;
  private readonly measured = new Speed();

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
    this.standing = new Standing(requests, this.uploads, {
      fellBehind: (reason) => listener.fellBehind(this, reason),
      caughtUp: () => listener.caughtUp(this),
      answered: () => listener.answered(),
      mayGo: () => void this.dismiss('left', wished()),
    });
    this.replica = new Replica(requests, arena, () => this.idle());
    const { replica, uploads, measured: speed, standing } = this;
    const lose = (message: string) => this.lose(message);
    this.sums = new RemoteGradients({ requests, replica, uploads, speed, lose });
    this.predictions = new RemotePredictions(requests, arena, replica, lose);
    this.slices = new RemoteSlices({
      ...{ requests, arena, replica, speed, lose },
      isLeaving: () => standing.isLeaving,
      holds: (count) => this.holds(count),
    });
    this.updates = new RemoteUpdates(requests, replica);
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
    return this.standing.isAvailable;
  }

  get state(): NodeStatus['state'] {
    return this.standing.state;
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
    return this.isAvailable && !this.updates.isOpen && this.replica.hasState(parameters);
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
    this.standing.late(reason);
  }

  leaving(): void {
    this.standing.leaves();
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    try {
      const kind = BULK_KINDS[tag.kind];
      if (kind !== 'sum') this.slices.frame(tag, payload);
      else if (this.uploads.frame(tag, payload)) this.standing.settled();
    } catch (error) {
      this.requests.expel(error as PseudolabelError);
    }
  }

  answered({ lostWorkers, request, kind }: Parameters<RequestsListener['answered']>[0]): void {
    this.lostWorkers = lostWorkers;
    if (kind === 'failed') this.uploads.failed(request);
    this.standing.settled();
  }

  closed(reason: PseudolabelError): void {
    const lost = new MemberLost(this.name, reason);
    this.uploads.lost(lost);
    this.standing.giveUp(lost);
    this.listener.left(this, reason);
  }

  /** Rejects when it is lost, or behind, while something is still to be done. */
  idle(): Promise<void> {
    return this.standing.idle();
  }

  private holds(slices: number): void {
    this.shards = slices;
    this.standing.holds(slices);
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
