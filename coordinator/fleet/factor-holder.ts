// Owns what the coordinator asks of those who contribute to a sum by low-rank factors, its own threads and other machines alike.
import type { Side } from '../../src/engine/factors.js';
import type { FactorStep } from '../../src/protocol/factors.js';
import type { LocalNode } from '../../worker/node.js';

/** A sum of a fleet; the rest of a FactorStep is the holder's. */
export type FactorSum = Omit<FactorStep, 'goesOn'>;

export interface FactorHolder {
  /** Its left or right factors, valid until the next call. Rejects with MemberLost where the holder is another machine. */
  factor(side: Side, sum: FactorSum): Promise<Float32Array>;
  /** Its last right factors are in the total: what they leave of its part is in its next one. */
  counted(): Promise<void>;
  /** The next part is of something else: what was left is forgotten. */
  forget(): void;
}

/** The coordinator's own threads. */
export class LocalFactors implements FactorHolder {
  private goesOn = false;

  constructor(private readonly node: LocalNode) {}

  factor(side: Side, sum: FactorSum): Promise<Float32Array> {
    return this.node.factors.factor(side, { ...sum, goesOn: this.goesOn });
  }

  async counted(): Promise<void> {
    await this.node.factors.counted();
    this.goesOn = true;
  }

  forget(): void {
    this.goesOn = false;
  }
}
