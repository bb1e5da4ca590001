// Arena sync: keeps the arenas of other machines like the one here. It knows which bytes differ, and sends them before they are needed.

import { Intervals } from '../../src/collectives/intervals.js';
import type { Arena } from '../../src/engine/arena.js';
import type { PredictTask } from '../../src/models/tasks.js';
import type { ImageSet, SentRegion } from '../../src/protocol/cluster-messages.js';
import { VECTORS } from '../../src/protocol/tensor-codec.js';
import type { Ranges, ShardStep, TrainingState } from '../../src/training/executor.js';

/** What is sent of a node's arena: of one node, or of all other ranks at once. */
export class ArenaSync {
  /** The bytes of each region, and the images, that are there as they are here. */
  private readonly alike = new Map<SentRegion | ImageSet, Intervals>();

  /**
   * @param arena the one here
   * @param send sends bytes [start, end) of a region, at most `most`
   * @param sendImages sends images [start, end)
   */
  constructor(
    private readonly arena: Arena,
    private readonly most: number,
    private readonly send: (region: SentRegion, start: number, end: number) => Promise<void>,
    private readonly sendImages: (set: ImageSet, start: number, end: number) => Promise<void>,
  ) {}

  /** Whether so many parameters and moments are alike, so that the same update keeps them so. */
  hasState(parameters: number): boolean {
    return this.vectors.every((region) => this.of(region).missing(0, parameters * 4).length === 0);
  }

  /** Sends what differs of so many parameters and moments. Throws RangeError where the arena has no room for them. */
  async bringState(parameters: number): Promise<void> {
    this.checkRoom(parameters);
    await this.bringParts([[0, parameters]]);
  }

  /** Sends what differs of these floats of the parameters and moments. */
  async bringParts(parts: Ranges): Promise<void> {
    for (const region of this.vectors) for (const [start, end] of parts) await this.bring(region, start * 4, end * 4);
  }

  async bringParameters(parameters: number): Promise<void> {
    this.checkRoom(parameters);
    await this.bring('parameters', 0, parameters * 4);
  }

  /** The images of a data-parallel step, of those in [start, end), and their labels where it trains on stored ones. */
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

  /** The labels of these images have changed here, not there. */
  labelsChanged(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.of('pseudoLabels').remove(start * 2, end * 2);
      this.of('confidences').remove(start * 4, end * 4);
    }
  }

  /** The labels of these images came from there. */
  labelsAlike(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.of('pseudoLabels').add(start * 2, end * 2);
      this.of('confidences').add(start * 4, end * 4);
    }
  }

  /** These floats of the parameters and moments came from there. */
  partsAlike(parts: Ranges): void {
    for (const region of VECTORS) for (const [start, end] of parts) this.of(region).add(start * 4, end * 4);
  }

  /** So many parameters and moments have changed here, there, or both, and not by the same update. */
  stateChanged(parameters: number): void {
    for (const region of this.vectors) this.of(region).remove(0, parameters * 4);
  }

  /** So much of the state has been overwritten here. */
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

  /** What an update changes. Tensor shards have no average, and no stage that keeps one is cut into them. */
  private get vectors(): readonly ((typeof VECTORS)[number] | 'average')[] {
    return this.arena.shape.averages ? [...VECTORS, 'average'] : VECTORS;
  }

  private checkRoom(parameters: number): void {
    if (parameters > this.arena.shape.parameters)
      throw new RangeError(`length ${parameters} of the model is beyond the arena`);
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
