// The liveness of a node: whether it takes requests, is behind, wants to go, or has nothing to do.
import type { NodeStatus } from '../../../src/protocol/status.js';
import { Condition } from './deadlines.js';
import type { MemberLost } from './member.js';
import type { Requests } from './requests.js';
import type { Uploads } from './uploads.js';

interface LivenessListener {
  /** It did not answer in time, and is left out until it does. */
  fellBehind(reason: MemberLost): void;
  caughtUp(): void;
  /** Something ended: it may have become available. */
  answered(): void;
  /** It wants to go, and has nothing left to do. */
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

  /** Whether it takes requests. */
  get isAvailable(): boolean {
    return this.state === 'working' && !this.requests.isClosed;
  }

  get state(): NodeStatus['state'] {
    if (this.isLeaving) return 'leaving';
    return this.requests.isBehind || this.uploads.areLate ? 'behind' : 'working';
  }

  /** Resolves when it has nothing left to do. Rejects when it is lost, or behind, before. */
  idle(): Promise<void> {
    return this.condition.met(() => this.isIdle);
  }

  late(reason: MemberLost): void {
    this.giveUp(reason);
    if (this.isLeftOut) return;
    this.isLeftOut = true;
    this.listener.fellBehind(reason);
  }

  leaves(): void {
    this.isLeaving = true;
    this.settled();
  }

  /** It owns so many tensor shards from now on. Their state is fetched before it goes. */
  owns(tensorShards: number): void {
    this.ownsTensorShards = tensorShards > 0;
    this.settled();
  }

  /** Something ended: what waits for that goes on. */
  settled(): void {
    if (this.isLeftOut && this.state !== 'behind') {
      this.isLeftOut = false;
      this.listener.caughtUp();
    }
    this.listener.answered();
    this.condition.changed();
    if (this.isIdle && this.isLeaving && !this.ownsTensorShards) this.listener.mayGo();
  }

  /** What it has to do will not be done, or not in time. */
  giveUp(reason: MemberLost): void {
    this.condition.fail(reason);
  }

  private get isIdle(): boolean {
    return this.requests.isIdle && this.uploads.areComplete;
  }
}
