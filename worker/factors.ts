// Owns a node's part in steps whose gradients travel as low-rank factors: passes over its sum, shared out to its workers, and which of two
// vectors holds what the last step left of it. A step that does not come to its end leaves that as it was.
import type { Arena } from '../src/engine/arena.js';
import { factoringOf, type Side } from '../src/engine/factors.js';
import type { FactorResult, FactorStep, FactorTask, Residual } from '../src/protocol/factors.js';

export class Factors {
  private residual: Residual = 'residual';
  /** The step, with its shards, whose sum the arena's total holds. */
  private summed = '';
  private error: Promise<unknown> = Promise.resolve();

  /** run: does a task, again if its thread is lost. */
  constructor(
    private readonly arena: Arena,
    private readonly workers: number,
    private readonly run: (task: FactorTask) => Promise<FactorResult>,
  ) {}

  /**
   * The left or right factors of this node's part, in its arena until the next call. Left ones need the right ones of the last total in the
   * arena, right ones the left ones of this total.
   */
  async factor(side: Side, step: FactorStep): Promise<Float32Array> {
    await this.error;
    const { regions, memory } = this.arena;
    const factoring = factoringOf(step.model, step.rank);
    const sum = JSON.stringify([step.step, step.goesOn, step.shards]);
    // Shards that others have lost may have come since its left factors.
    if (side === 'left' || this.summed !== sum) await this.pass('left', step);
    this.summed = sum;
    if (side === 'right') {
      await this.pass('right', step);
      // Nobody has to wait for it before the update.
      this.error = this.pass('error', step);
      this.error.catch(() => undefined);
    }
    return new Float32Array(memory.buffer, regions.partial, factoring[side]);
  }

  /** The last right factors are in the total: what they leave of this node's part is the residual from now on. */
  async counted(): Promise<void> {
    await this.error;
    this.residual = other(this.residual);
    this.summed = '';
  }

  private async pass(pass: FactorTask['pass'], { model, rank, shards, goesOn }: FactorStep): Promise<void> {
    const of = { model, rank, shards, residual: goesOn ? this.residual : undefined, error: other(this.residual) };
    const parts = Array.from({ length: this.workers }, (_, part) => part);
    await Promise.all(parts.map((part) => this.run({ kind: 'factors', pass, ...of, part, parts: this.workers })));
  }
}

const other = (residual: Residual): Residual => (residual === 'residual' ? 'spare' : 'residual');
