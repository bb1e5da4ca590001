// Owns the cutting of ranges into batches, so that what is asked for at once stays short enough for one message. Pure.

/** [start, end), a part of the range with this position. */
export interface Piece {
  readonly range: number;
  readonly start: number;
  readonly end: number;
}

/** Covers the ranges in order, by batches of at most `most` elements. Nothing is made of an empty range. */
export function batchesOf(ranges: readonly (readonly [start: number, end: number])[], most: number): Piece[][] {
  const batches: Piece[][] = [];
  let room = 0;
  ranges.forEach(([first, end], range) => {
    for (let start = first; start < end; ) {
      if (room === 0) {
        batches.push([]);
        room = most;
      }
      const length = Math.min(room, end - start);
      batches.at(-1)!.push({ range, start, end: start + length });
      start += length;
      room -= length;
    }
  });
  return batches;
}
