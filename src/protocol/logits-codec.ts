// Owns partial logits within messages: how they travel, and whether what has come fits its step.
import { subtreesIn } from '../collectives/tree.js';
import type { Logits, TensorShardRange, TensorStep } from '../engine/tensor-tasks.js';
import { exchangesOf, widthsOf } from '../models/dense/tensor-blocks.js';
import { rowCountsOf, tensorShardCount } from '../models/dense/tensor-layout.js';
import { bytesOf, floatsOf } from './floats.js';

/** Floats as little-endian bytes. */
export interface WireLogits extends Omit<Logits, 'logits' | 'clean'> {
  readonly logits: Uint8Array;
  readonly clean: Uint8Array;
}

/** The same memory. */
export const logitsToWire = (sums: readonly Logits[]): WireLogits[] =>
  sums.map(({ logits, clean, ...bounds }) => ({ logits: bytesOf(logits), clean: bytesOf(clean), ...bounds }));

export const logitsFromWire = (sums: readonly WireLogits[]): Logits[] =>
  sums.map(({ logits, clean, ...bounds }) => ({ logits: floatsOf(logits), clean: floatsOf(clean), ...bounds }));

/** What they were asked for. */
export interface AskedLogits {
  readonly step: TensorStep;
  readonly range: TensorShardRange;
  /** Number of it in the step. */
  readonly exchange: number;
}

/** Whether they are those of each subtree of slices that the range is made of. pixels: of an image. */
export function logitsFit(
  sums: readonly WireLogits[],
  { step, range, exchange }: AskedLogits,
  pixels: number,
): boolean {
  const counts = rowCountsOf(step.labelledImages.length / pixels, step);
  const bytes = widthsOf(step.model, exchangesOf(step.model)[exchange]!).up * 4;
  return (
    sums.length === subtreesIn(range, tensorShardCount(step.model, step.shards)).length &&
    sums.every(({ logits, clean, activationBound, weightBound }) => {
      const isBound = !(activationBound < 0 || weightBound < 0);
      return isBound && logits.length === bytes * counts.rows && clean.length === bytes * counts.clean;
    })
  );
}
