// Owns a node's steps by hidden units: one task a worker, which does its forward pass, and its backward pass when the gradient has come.
import type { Arena } from '../src/engine/arena.js';
import { forwardOf, giveGradient, giveUp, logitsOf, type Slicing, slicingOf } from '../src/engine/slicing.js';
import type { Logits, SlicedStep, SliceRange, SliceResult, SliceTask } from '../src/protocol/slices.js';

/** The coordinator answers in a fraction of a millisecond, but only when the slowest worker has done its forward pass. */
const PATIENCE_MS = 250;

interface Asked {
  readonly slicing: Slicing;
  readonly work: readonly Promise<SliceResult>[];
}

export class SlicedSteps {
  private steps = 0;
  /** The step that waits for its gradient. */
  private asked: Asked | undefined;
  private busy: Promise<unknown> = Promise.resolve();

  /** run: does a task, again if its thread is lost. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: SliceTask) => Promise<SliceResult>,
  ) {}

  /** The sum of each subtree of slices that the range is made of; default: of all slices. */
  async forward(step: SlicedStep, range?: SliceRange): Promise<Logits[]> {
    const slicing = await this.begin(step, range);
    this.asked = this.start(slicing);
    await Promise.all(this.asked.work.map((each, group) => forwardOf(slicing, group, each)));
    return logitsOf(slicing);
  }

  /** Updates the slices of the last forward pass. */
  backward(gradient: Float32Array): Promise<SliceResult[]> {
    if (!this.asked) throw new Error('a backward pass comes after a forward pass');
    giveGradient(this.asked.slicing, gradient);
    return this.finish(this.asked);
  }

  /** Both passes of a step whose gradient at the logits is known already. */
  async replay(step: SlicedStep, gradient: Float32Array, range: SliceRange): Promise<SliceResult[]> {
    const slicing = await this.begin(step, range);
    giveGradient(slicing, gradient);
    return this.finish(this.start(slicing));
  }

  /** When the step before is done, or given up where nobody gave it a gradient. */
  private async begin(step: SlicedStep, range: SliceRange | undefined): Promise<Slicing> {
    if (this.asked) giveUp(this.asked.slicing);
    this.asked = undefined;
    await this.busy;
    this.steps++;
    return slicingOf(this.arena, step, { number: this.steps, workers: this.workers, patience: PATIENCE_MS, range });
  }

  private start(slicing: Slicing): Asked {
    const work = slicing.tasks.map((task) => this.run(task));
    this.busy = Promise.allSettled(work);
    return { slicing, work };
  }

  private finish({ slicing, work }: Asked): Promise<SliceResult[]> {
    this.asked = undefined;
    const results = work.map(async (each, group) => {
      const result = await each;
      return result.isUpdated ? result : this.run(slicing.tasks[group]!);
    });
    this.busy = Promise.allSettled(results);
    return Promise.all(results);
  }
}
