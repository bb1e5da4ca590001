// Encodes floats, logits and the state of tensor shards for messages.

import { subtreesIn } from '../collectives/tree.js';
import type { DenseModel } from '../models/dense/model.js';
import { exchangesOf, widthsOf } from '../models/dense/tensor-blocks.js';
import { rowCountsOf, stateOf, tensorShardCount } from '../models/dense/tensor-layout.js';
import type { Logits, TensorShardRange, TensorStep } from '../models/tensor-tasks.js';
import { MAX_BULK } from './limits.js';

/** Returns numbers as little-endian bytes, in the same memory. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Returns a copy that is aligned for floats. */
export const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(new Uint8Array(bytes).buffer);

/** Returns a copy that is aligned for classes. A last byte that is half of one is left out. */
export const labelsOf = (bytes: Uint8Array): Uint16Array =>
  new Uint16Array(new Uint8Array(bytes).buffer, 0, bytes.length >> 1);

/** Logits with floats as little-endian bytes. */
export interface WireLogits extends Omit<Logits, 'logits' | 'clean'> {
  readonly logits: Uint8Array;
  readonly clean: Uint8Array;
}

/** Returns the logits in the same memory. */
export const logitsToWire = (sums: readonly Logits[]): WireLogits[] =>
  sums.map(({ logits, clean, ...bounds }) => ({ logits: bytesOf(logits), clean: bytesOf(clean), ...bounds }));

export const logitsFromWire = (sums: readonly WireLogits[]): Logits[] =>
  sums.map(({ logits, clean, ...bounds }) => ({ logits: floatsOf(logits), clean: floatsOf(clean), ...bounds }));

/** The request for some logits. */
export interface AskedLogits {
  readonly step: TensorStep;
  readonly range: TensorShardRange;
  /** The number of the exchange in the step. */
  readonly exchange: number;
}

/**
 * Returns whether `sums` have the right lengths for each subtree of tensor shards that makes up the range. pixels: of
 * an image.
 */
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

export const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

/** The content of one frame: bytes [start, end) of a vector. */
export interface StatePiece {
  readonly region: (typeof VECTORS)[number];
  readonly start: number;
  readonly end: number;
}

/**
 * Returns the pieces in which the state of tensor shards [first, end) is sent, in order. shards: the number that the
 * model is split for.
 */
export function piecesOf(model: DenseModel, shards: number, range: TensorShardRange): StatePiece[] {
  const state = stateOf(model, tensorShardCount(model, shards), range);
  return VECTORS.flatMap((region) =>
    state.flatMap(([first, end]) => {
      const pieces: StatePiece[] = [];
      for (let start = first * 4; start < end * 4; start += MAX_BULK) {
        pieces.push({ region, start, end: Math.min(start + MAX_BULK, end * 4) });
      }
      return pieces;
    }),
  );
}
