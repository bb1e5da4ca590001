// Owns who computes: the coordinator's own threads (unless it only coordinates) and the nodes that have joined; and who gets which part.
import type { Clock } from '../../../src/clock.js';
import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Arena } from '../../../src/engine/arena.js';
import { PseudolabelError } from '../../../src/errors.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import { abandoned, stoppedWaiting } from '../failures.js';
import { type AdmissionRules, admit, firstOf, inform } from './admission.js';
import { Condition } from './condition.js';
import { type Bounds, Deadlines } from './deadlines.js';
import type { ClusterListener } from './listener.js';
import type { Member, MemberLost, Part } from './member.js';
import { firstImages, Placement } from './placement.js';
import type { RemoteListener, RemoteNode } from './remote-node.js';
import { type NodeChannel, Requests } from './requests.js';

export interface MembersOptions extends AdmissionRules {
  /** How long to stand still for want of a node. */
  readonly patienceMs: number;
  readonly bounds: Bounds;
  readonly clock: Clock;
  readonly listener: ClusterListener;
}

export class Members implements RemoteListener {
  readonly remotes = new Set<RemoteNode>();
  /** Of nodes that are gone. */
  private lostBefore = 0;
  private readonly placement: Placement;
  private readonly condition: Condition;
  private joining = new Set<Requests>();
  private end: PseudolabelError | undefined;
  private isStopping = false;

  /** local: undefined where the coordinator does not compute. */
  constructor(
    private readonly local: Member | undefined,
    private readonly arena: Arena,
    private readonly wire: GradientCodec,
    private readonly options: MembersOptions,
  ) {
    this.condition = new Condition(options.clock);
    this.placement = new Placement(arena.shape.shards);
  }

  get workers(): number {
    return this.available().reduce((sum, { workers }) => sum + workers, 0);
  }

  /** On other machines. */
  get lostWorkers(): number {
    return [...this.remotes].reduce((sum, { lostWorkers }) => sum + lostWorkers, this.lostBefore);
  }

  /** Lets in whoever is at the other end, if they may: between two phases of the run, whenever that is. Never rejects. */
  async admit(channel: NodeChannel, status: () => ClusterStatus): Promise<void> {
    const requests = new Requests(channel, new Deadlines(this.options.bounds, this.options.clock));
    this.joining.add(requests);
    try {
      const first = await firstOf(requests);
      if (this.end) throw this.end;
      if (first.kind === 'ask') return await inform(requests, status());
      requests.name = this.unique(first.name);
      const node = await admit(requests, first, this.arena, this.wire, this.options, this);
      const images = firstImages(this.arena.shape, speedsOf([...this.available(), node]));
      await node.arenaSync.bringImages('unlabelled', [images]); // while the others go on
      if (requests.isClosed) return;
      this.remotes.add(node);
      this.options.listener.joined(node);
      this.condition.changed();
    } catch (error) {
      const reason = reasonOf(error);
      requests.close(reason);
      if (!this.end) this.options.listener.refused(requests.name, reason);
    } finally {
      this.joining.delete(requests);
    }
  }

  /** Resolves when so many nodes are there. Throws E_NODES after so many milliseconds, E_INTERRUPTED when closed. */
  async waitFor(nodes: number, milliseconds: number): Promise<void> {
    const isOver = () => this.end !== undefined || this.remotes.size >= nodes;
    const say = (left: number) => this.options.listener.gathering(this.remotes.size, nodes, left);
    const inTime = await this.condition.until(isOver, milliseconds, say);
    if (this.end) throw this.end;
    if (inTime) return;
    const message = `${this.remotes.size} of ${nodes} nodes joined in ${Math.round(milliseconds / 1000)} s`;
    throw new PseudolabelError('E_NODES', message, 'start the others, or ask for fewer with --nodes');
  }

  /** Shares out so many items among those who are there now. Waits for a node where nobody is. Throws E_NODES, E_INTERRUPTED. */
  async share(count: number): Promise<Part[]> {
    const members = await this.present();
    const ends = this.placement.ends(count, members, speedsOf(members));
    return members.flatMap((member, i): Part[] => {
      const first = ends[i - 1] ?? 0;
      const items = Array.from({ length: ends[i]! - first }, (_, item) => first + item);
      if (items.length > 0) return [[member, items]];
      member.passedOver();
      return [];
    });
  }

  /** The run shall stop after its step: where nobody is there to finish that, at once. */
  stop(): void {
    this.isStopping = true;
    this.condition.changed();
  }

  /** Says to all nodes that the run is over. */
  async close(reason: PseudolabelError): Promise<void> {
    this.end = reason;
    this.condition.changed();
    for (const requests of this.joining) requests.close(reason);
    await Promise.all([...this.remotes].map((node) => node.dismiss('finished', reason)));
  }

  left(node: RemoteNode, reason: PseudolabelError): void {
    if (!this.remotes.delete(node)) return;
    this.lostBefore += node.lostWorkers;
    if (!this.end) this.options.listener.left(node, reason);
    this.condition.changed();
  }

  fellBehind(node: RemoteNode, { cause }: MemberLost): void {
    this.options.listener.fellBehind(node, reasonOf(cause));
  }

  caughtUp(node: RemoteNode): void {
    this.options.listener.caughtUp(node);
  }

  answered(): void {
    this.condition.changed();
  }

  all(): Member[] {
    return this.local ? [this.local, ...this.remotes] : [...this.remotes];
  }

  private available(): Member[] {
    const remotes = [...this.remotes].filter(({ isAvailable }) => isAvailable);
    return this.local ? [this.local, ...remotes] : remotes;
  }

  /** Who is there to compute now. Waits for a node where nobody is. Throws E_NODES, E_INTERRUPTED. */
  async present(): Promise<Member[]> {
    const { patienceMs, listener } = this.options;
    if (!this.end && this.available().length === 0) {
      let isAgain = false;
      const say = (left: number) => {
        listener.waiting(left, isAgain);
        isAgain = true;
      };
      const isThere = () => this.available().length > 0;
      const isOver = () => this.end !== undefined || this.isStopping || isThere();
      if (!(await this.condition.until(isOver, patienceMs, say))) throw abandoned(patienceMs);
      if (!this.end && !isThere()) throw stoppedWaiting();
    }
    if (this.end) throw this.end;
    return this.available();
  }

  private unique(wanted: string): string {
    const taken = new Set([...this.remotes, ...this.joining].map(({ name }) => name));
    let name = wanted;
    for (let other = 2; taken.has(name); other++) name = `${wanted}-${other}`;
    return name;
  }
}

/** Those who have not been measured are taken to be as fast, by workers, as the median of the others. */
export function speedsOf(members: readonly Member[]): number[] {
  const known = members.flatMap(({ speed, workers }) => (speed === undefined ? [] : [speed / workers]));
  const typical = known.toSorted((a, b) => a - b)[known.length >> 1] ?? 1;
  return members.map(({ speed, workers }) => speed ?? typical * workers);
}

function reasonOf(error: unknown): PseudolabelError {
  if (error instanceof PseudolabelError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PseudolabelError('E_CLOSED', message, 'start the node again', { cause: error });
}
