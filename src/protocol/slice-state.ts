// Owns how the state of slices travels from a node: which arrays in which pieces, in which order. Both sides go by it.
import type { Model } from '../engine/model.js';
import { sliceCount, stateOf } from '../engine/slices.js';
import { MAX_BULK } from './channel.js';
import type { SliceRange } from './slices.js';

export const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

/** A frame: bytes [start, end) of a vector. */
export interface StatePiece {
  readonly region: (typeof VECTORS)[number];
  readonly start: number;
  readonly end: number;
}

/** Of the slices [first, end) of a model that is cut for so many shards. */
export function piecesOf(model: Model, shards: number, range: SliceRange): StatePiece[] {
  const state = stateOf(model, sliceCount(model, shards), range);
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
