// Keeps the arenas of other machines the same as the arena here. It records which bytes differ, and sends them before
// they are needed.

import { Intervals } from '../../src/collectives/intervals.js';
import type { Arena } from '../../src/engine/arena.js';
import type { PredictTask } from '../../src/models/tasks.js';
import type { ImageSet, SentRegion } from '../../src/protocol/cluster-messages.js';
import { VECTORS } from '../../src/protocol/tensor-codec.js';
import type { Ranges, ShardStep, TrainingState } from '../../src/training/executor.js';

/**
 * Brings the arena of one node, or the arenas of all other ranks at once, up to date. In this file, "there" means those
 * arenas.
 */
export class ArenaSync {
  /** The bytes of each region, and the images, that are the same there as here. */
  private readonly alike = new Map<SentRegion | ImageSet, Intervals>();

  /**
   * @param arena the arena here
   * @param most the most bytes of one call of `send`
   * @param send sends bytes [start, end) of a region
   * @param sendImages sends images [start, end)
   */
  constructor(
    private readonly arena: Arena,
    private readonly most: number,
    private readonly send: (region: SentRegion, start: number, end: number) => Promise<void>,
    private readonly sendImages: (set: ImageSet, start: number, end: number) => Promise<void>,
  ) {}

  /**
   * Returns whether this number of parameters, and their moments, are the same there, so that the same update keeps
   * them the same.
   */
  hasState(parameterCount: number): boolean {
    return this.vectors.every((region) => this.of(region).missing(0, parameterCount * 4).length === 0);
  }

  /**
   * Sends what differs of this number of parameters and of their moments. Throws RangeError if the arena has no room
   * for them.
   */
  async bringState(parameterCount: number): Promise<void> {
    this.checkRoom(parameterCount);
    await this.bringParts([[0, parameterCount]]);
  }

  /** Sends what differs of these ranges of floats of the parameters and moments. */
  async bringParts(parts: Ranges): Promise<void> {
    for (const region of this.vectors) for (const [start, end] of parts) await this.bring(region, start * 4, end * 4);
  }

  async bringParameters(parameterCount: number): Promise<void> {
    this.checkRoom(parameterCount);
    await this.bring('parameters', 0, parameterCount * 4);
  }

  /**
   * Sends those images of a data-parallel step that are in [start, end), and their labels if the step trains on stored
   * ones.
   */
  async bringRows({ unlabelled, model }: ShardStep, [start, end]: readonly [number, number]): Promise<void> {
    if (!unlabelled) return;
    await this.bringImages('unlabelled', [[start, end]]);
    if (unlabelled.pseudoLabels === 'fresh' || model.objective === 'reconstruction') return;
    await this.bring('pseudoLabels', start * 2, end * 2);
    await this.bring('confidences', start * 4, end * 4);
  }

  async bringImages(set: PredictTask['set'], ranges: Ranges): Promise<void> {
    for (const range of ranges) {
      for (const [start, end] of this.of(set).missing(...range)) {
        await this.sendImages(set, start, end);
        this.of(set).add(start, end);
      }
    }
  }

  /** Notes that the labels of these images have changed here and not there. */
  labelsChanged(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.of('pseudoLabels').remove(start * 2, end * 2);
      this.of('confidences').remove(start * 4, end * 4);
    }
  }

  /** Notes that the labels of these images came from there. */
  labelsAlike(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.of('pseudoLabels').add(start * 2, end * 2);
      this.of('confidences').add(start * 4, end * 4);
    }
  }

  /** Notes that these ranges of floats of the parameters and moments came from there. */
  partsAlike(parts: Ranges): void {
    for (const region of VECTORS) for (const [start, end] of parts) this.of(region).add(start * 4, end * 4);
  }

  /**
   * Notes that this number of parameters, and their moments, have changed here, there, or on both sides but not by the
   * same update.
   */
  stateChanged(parameterCount: number): void {
    for (const region of this.vectors) this.of(region).remove(0, parameterCount * 4);
  }

  /** Notes which parts of the state have been overwritten here. */
  overwritten(state: Partial<TrainingState>): void {
    for (const region of [...this.vectors, 'pseudoLabels', 'confidences'] as const) {
      this.of(region).remove(0, state[region]?.byteLength ?? 0);
    }
  }

  /** Makes the bytes [start, end) of a region the same there as they are here. */
  private async bring(region: SentRegion, start: number, end: number): Promise<void> {
    for (const [from, to] of this.of(region).missing(start, end)) {
      for (let at = from; at < to; at += this.most) await this.send(region, at, Math.min(at + this.most, to));
      this.of(region).add(from, to);
    }
  }

  /**
   * The regions that an update changes. Tensor shards have no average, and a stage that keeps one is not split into
   * them.
   */
  private get vectors(): readonly ((typeof VECTORS)[number] | 'average')[] {
    return this.arena.shape.averages ? [...VECTORS, 'average'] : VECTORS;
  }

  private checkRoom(parameterCount: number): void {
    if (parameterCount > this.arena.shape.parameterCount)
      throw new RangeError(`length ${parameterCount} of the model is beyond the arena`);
  }

  private of(region: SentRegion | ImageSet): Intervals {
    let intervals = this.alike.get(region);
    if (!intervals) {
      intervals = new Intervals();
      this.alike.set(region, intervals);
    }
    return intervals;
  }
}
