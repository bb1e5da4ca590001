// Owns how the state of slices travels from a node: which arrays in which pieces, in which order. Both sides go by it.

import type { TensorShardRange } from '../engine/tensor-tasks.js';
import { stateOf, tensorShardCount } from '../models/dense/tensor-layout.js';
import type { Model } from '../models/model.js';
import { MAX_BULK } from './channel.js';

export const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

/** A frame: bytes [start, end) of a vector. */
export interface StatePiece {
  readonly region: (typeof VECTORS)[number];
  readonly start: number;
  readonly end: number;
}

/** Of the slices [first, end) of a model that is cut for so many shards. */
export function piecesOf(model: Model, shards: number, range: TensorShardRange): StatePiece[] {
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
