// Tracks whether a node takes requests, is behind, wants to leave, or has nothing to do.
import type { NodeStatus } from '../../../src/protocol/status.js';
import { Condition } from './deadlines.js';
import type { MachineLost } from './machine.js';
import type { Requests } from './requests.js';
import type { Uploads } from './uploads.js';

interface LivenessListener {
  /** The node did not answer in time, and is left out until it does. */
  fellBehind(reason: MachineLost): void;
  caughtUp(): void;
  /** Some work of the node has ended, so it may have become available. */
  answered(): void;
  /** The node wants to leave, and has nothing left to do. */
  mayGo(): void;
}

export class Liveness {
  isLeaving = false;
  private isLeftOut = false;
  private ownsTensorShards = false;
  private readonly condition = new Condition();

  constructor(
    private readonly requests: Requests,
    private readonly uploads: Uploads,
    private readonly listener: LivenessListener,
  ) {}

  /** Whether the node takes requests. */
  get isAvailable(): boolean {
    return this.state === 'working' && !this.requests.isClosed;
  }

  get state(): NodeStatus['state'] {
    if (this.isLeaving) return 'leaving';
    return this.requests.isBehind || this.uploads.areLate ? 'behind' : 'working';
  }

  /** Resolves when the node has nothing left to do. Rejects if it is lost or falls behind before that. */
  idle(): Promise<void> {
    return this.condition.met(() => this.isIdle);
  }

  late(reason: MachineLost): void {
    this.giveUp(reason);
    if (this.isLeftOut) return;
    this.isLeftOut = true;
    this.listener.fellBehind(reason);
  }

  leaves(): void {
    this.isLeaving = true;
    this.settled();
  }

  /** Sets the number of tensor shards that the node owns. Their state is fetched before the node leaves. */
  owns(tensorShards: number): void {
    this.ownsTensorShards = tensorShards > 0;
    this.settled();
  }

  /** Is called when some work of the node has ended, and continues what waits for that. */
  settled(): void {
    if (this.isLeftOut && this.state !== 'behind') {
      this.isLeftOut = false;
      this.listener.caughtUp();
    }
    this.listener.answered();
    this.condition.changed();
    if (this.isIdle && this.isLeaving && !this.ownsTensorShards) this.listener.mayGo();
  }

  /** Ends the waits for the node, because it will not finish its work, or not in time. */
  giveUp(reason: MachineLost): void {
    this.condition.fail(reason);
  }

  private get isIdle(): boolean {
    return this.requests.isIdle && this.uploads.areComplete;
  }
}
