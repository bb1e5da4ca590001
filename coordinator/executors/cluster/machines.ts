// Holds the machines of a cluster: the coordinator's own threads (unless it only coordinates) and the nodes that have
// joined. It knows which of them are available, and shares work among them.
import type { Clock } from '../../../src/clock.js';
import type { ArenaShape } from '../../../src/engine/arena.js';
import { PseudolabelError } from '../../../src/errors.js';
import { firstImages, Placement } from '../assignment.js';
import { noNodesError, reasonOf, stoppedWaiting } from '../failures.js';
import { type Bounds, Condition } from './deadlines.js';
import type { Machine, MachineLost, Part } from './machine.js';
import type { RemoteListener, RemoteNode } from './remote-node.js';
import type { ClusterListener } from './status.js';

export interface MachinesOptions {
  /** The most milliseconds that the run waits for a node when it has none. */
  readonly patienceMs: number;
  readonly bounds: Bounds;
  readonly clock: Clock;
  readonly listener: ClusterListener;
}

export class Machines implements RemoteListener {
  readonly remotes = new Set<RemoteNode>();
  /** The reason why no node is admitted any more; undefined while the run goes on. */
  end: PseudolabelError | undefined;
  /** The number of workers that were lost by nodes that have left. */
  private lostBefore = 0;
  private readonly placement: Placement;
  private readonly condition = new Condition();
  private isStopping = false;

  /** local: undefined if the coordinator does not compute. */
  constructor(
    private readonly local: Machine | undefined,
    private readonly shape: ArenaShape,
    private readonly options: MachinesOptions,
  ) {
    this.placement = new Placement(shape.shards);
  }

  get workers(): number {
    return this.available().reduce((sum, { workers }) => sum + workers, 0);
  }

  /** The number of lost workers on other machines. */
  get lostWorkers(): number {
    return [...this.remotes].reduce((sum, { lostWorkers }) => sum + lostWorkers, this.lostBefore);
  }

  /** Returns the unlabelled images [start, end) that a node is likely to need. The node is about to join. */
  firstImages(node: RemoteNode): readonly [number, number] {
    return firstImages(this.shape, [...this.available(), node]);
  }

  join(node: RemoteNode): void {
    this.remotes.add(node);
    this.options.listener.joined(node);
    this.condition.changed();
  }

  /**
   * Resolves when this number of nodes is there. Throws E_NODES after this time, and E_INTERRUPTED if the cluster is
   * closed.
   */
  async waitFor(nodes: number, milliseconds: number): Promise<void> {
    const isOver = () => this.end !== undefined || this.remotes.size >= nodes;
    const say = (left: number) => this.options.listener.gathering(this.remotes.size, nodes, left);
    const inTime = await this.condition.metWithin(milliseconds, isOver, this.options.clock, say);
    if (this.end) throw this.end;
    if (inTime) return;
    const message = `${this.remotes.size} of ${nodes} nodes joined in ${Math.round(milliseconds / 1000)} s`;
    throw new PseudolabelError('E_NODES', message, 'start the others, or ask for fewer with --nodes');
  }

  /**
   * Shares this number of items among the machines that are available. Waits for a node if there is none. Throws
   * E_NODES, E_INTERRUPTED.
   */
  async share(count: number): Promise<Part[]> {
    const machines = await this.present();
    const ends = this.placement.ends(count, machines);
    return machines.flatMap((machine, i): Part[] => {
      const first = ends[i - 1] ?? 0;
      const items = Array.from({ length: ends[i]! - first }, (_, item) => first + item);
      if (items.length > 0) return [[machine, items]];
      machine.skippedStep();
      return [];
    });
  }

  /** Resolves to the machines that can compute now. Waits for a node if there is none. Throws E_NODES, E_INTERRUPTED. */
  async present(): Promise<Machine[]> {
    const { patienceMs, listener, clock } = this.options;
    if (!this.end && this.available().length === 0) {
      let isAgain = false;
      const say = (left: number) => {
        listener.waiting(left, isAgain);
        isAgain = true;
      };
      const isThere = () => this.available().length > 0;
      const isOver = () => this.end !== undefined || this.isStopping || isThere();
      if (!(await this.condition.metWithin(patienceMs, isOver, clock, say))) throw noNodesError(patienceMs);
      if (!this.end && !isThere()) throw stoppedWaiting();
    }
    if (this.end) throw this.end;
    return this.available();
  }

  /** Asks the run to stop after its step. If no machine is there to finish the step, the run stops at once. */
  stop(): void {
    this.isStopping = true;
    this.condition.changed();
  }

  /** Tells all nodes that the run is over. */
  async close(reason: PseudolabelError): Promise<void> {
    this.end = reason;
    this.condition.changed();
    await Promise.all([...this.remotes].map((node) => node.dismiss('finished', reason)));
  }

  left(node: RemoteNode, reason: PseudolabelError): void {
    if (!this.remotes.delete(node)) return;
    this.lostBefore += node.lostWorkers;
    if (!this.end) this.options.listener.left(node, reason);
    this.condition.changed();
  }

  fellBehind(node: RemoteNode, { cause }: MachineLost): void {
    this.options.listener.fellBehind(node, reasonOf(cause));
  }

  caughtUp(node: RemoteNode): void {
    this.options.listener.caughtUp(node);
  }

  answered(): void {
    this.condition.changed();
  }

  private available(): Machine[] {
    const remotes = [...this.remotes].filter(({ isAvailable }) => isAvailable);
    return this.local ? [this.local, ...remotes] : remotes;
  }
}
