// Owns a node's steps by hidden units: one task a worker, which does its forward pass, and its backward pass when the gradient has come.
import type { Arena } from '../src/engine/arena.js';
import { forwardOf, giveGradient, partialLogits, type Slicing, slicingOf } from '../src/engine/slicing.js';
import type { PartialLogits, SlicedStep, SliceResult, SliceTask } from '../src/protocol/slices.js';

/** The coordinator answers in a fraction of a millisecond, but only when the slowest worker has done its forward pass. */
const PATIENCE_MS = 250;

export class SlicedSteps {
  private steps = 0;
  private last: { readonly slicing: Slicing; readonly work: readonly Promise<SliceResult>[] } | undefined;

  /** run: does a task, again if its thread is lost. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: SliceTask) => Promise<SliceResult>,
  ) {}

  async forward(step: SlicedStep): Promise<PartialLogits[]> {
    // A step that nobody gave a gradient to still waits for it.
    await Promise.allSettled(this.last?.work ?? []);
    this.steps++;
    const slicing = slicingOf(this.arena, step, { number: this.steps, workers: this.workers, patience: PATIENCE_MS });
    const work = slicing.tasks.map((task) => this.run(task));
    // What goes wrong, forwardOf() and backward() tell.
    for (const each of work) each.catch(() => undefined);
    this.last = { slicing, work };
    await Promise.all(work.map((each, group) => forwardOf(slicing, group, each)));
    return partialLogits(slicing);
  }

  backward(gradient: Float32Array): Promise<SliceResult[]> {
    const { slicing, work } = this.last!;
    giveGradient(slicing, gradient);
    return Promise.all(
      work.map(async (each, group) => {
        const result = await each;
        return result.isUpdated ? result : this.run(slicing.tasks[group]!);
      }),
    );
  }
}
