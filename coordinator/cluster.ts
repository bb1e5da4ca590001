// Owns what the training loop sees of the machines: it cuts each phase into shards, hands them to a node and puts the answers together.
// The mathematics of a run depends on the number of shards, never on who computes them.

import type { TrainingState } from '../src/checkpoint.js';
import { shardRange } from '../src/data/shards.js';
import { layoutOf, type Model } from '../src/engine/model.js';
import type { Node, NodeHealth } from '../src/protocol/node.js';
import type { StepOutcome, StepRequest, StoredLabels, Strategy } from './strategies/strategy.js';

export interface Labelling extends StoredLabels {
  /** Pseudo-labels that differ from the last ones. */
  readonly flips: number;
}

/** How many images of each kind the nodes hold. The evaluation set is the validation images, then the test images. */
export interface ImageCounts {
  readonly unlabelled: number;
  readonly validation: number;
  readonly test: number;
}

export class Cluster {
  /** The same as in the arena: some strategies need them here. */
  private stored: StoredLabels;

  constructor(
    private readonly node: Node,
    readonly shards: number,
    private readonly counts: ImageCounts,
    private readonly strategyFor: (model: Model) => Strategy,
  ) {
    const { unlabelled } = counts;
    this.stored = { classes: new Uint8Array(unlabelled), confidences: new Float32Array(unlabelled) };
  }

  get workers(): number {
    return this.node.workers;
  }

  health(): NodeHealth {
    return this.node.health();
  }

  /** One step of training. Throws E_NOT_FINITE before the update, so that the parameters stay as they were. */
  step(request: StepRequest): Promise<StepOutcome> {
    return this.strategyFor(request.model).step(request, this.stored);
  }

  /** Predicts a label for every unlabelled image. */
  async label(model: Model): Promise<Labelling> {
    const ranges = this.all((shard) => shardRange(this.counts.unlabelled, this.shards, shard));
    const results = await this.node.predict(model, 'unlabelled', ranges);
    this.stored = {
      classes: concatenated(
        results.map((result) => result.classes),
        Uint8Array,
      ),
      confidences: concatenated(
        results.map((result) => result.confidences),
        Float32Array,
      ),
    };
    return { ...this.stored, flips: results.reduce((sum, result) => sum + result.flips, 0) };
  }

  /** Predicted classes of the validation or the test images. */
  async classify(model: Model, set: 'validation' | 'test'): Promise<Uint8Array> {
    const first = set === 'validation' ? 0 : this.counts.validation;
    const ranges = this.all((shard) => {
      const [start, end] = shardRange(this.counts[set], this.shards, shard);
      return [first + start, first + end] as const;
    });
    const results = await this.node.predict(model, 'evaluation', ranges);
    return concatenated(
      results.map((result) => result.classes),
      Uint8Array,
    );
  }

  read(model: Model): TrainingState {
    return this.node.read(layoutOf(model).length);
  }

  write(state: Partial<TrainingState>): void {
    this.node.write(state);
    const { pseudoLabels = this.stored.classes, confidences = this.stored.confidences } = state;
    this.stored = { classes: pseudoLabels, confidences };
  }

  close(): Promise<void> {
    return this.node.close();
  }

  private all<T>(make: (shard: number) => T): T[] {
    return Array.from({ length: this.shards }, (_, shard) => make(shard));
  }
}

function concatenated<T extends Uint8Array | Float32Array>(parts: readonly T[], type: new (length: number) => T): T {
  const whole = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
