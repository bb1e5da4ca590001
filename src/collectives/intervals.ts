// A set of whole numbers, kept as ranges. It records which parts of a long array have arrived.

/** [start, end). */
export type Range = readonly [start: number, end: number];

export class Intervals {
  /** The ranges in order. None is empty, and there are gaps between them. */
  private ranges: Range[] = [];

  add(start: number, end: number): void {
    if (start >= end) return;
    const apart = this.ranges.filter(([first, last]) => last < start || first > end);
    const touching = this.ranges.filter(([first, last]) => last >= start && first <= end);
    const merged: Range = [
      Math.min(start, ...touching.map(([first]) => first)),
      Math.max(end, ...touching.map(([, last]) => last)),
    ];
    this.ranges = [...apart, merged].sort(([a], [b]) => a - b);
  }

  remove(start: number, end: number): void {
    if (start >= end) return;
    this.ranges = this.ranges.flatMap(([first, last]) =>
      parts([first, Math.min(last, start)], [Math.max(first, end), last]),
    );
  }

  /** Returns the parts of [start, end) that are not in the set, in order. */
  missing(start: number, end: number): Range[] {
    const gaps: Range[] = [];
    let at = start;
    for (const [first, last] of this.ranges) {
      if (last <= at || first >= end) continue;
      if (first > at) gaps.push([at, first]);
      at = last;
    }
    return at < end ? [...gaps, [at, end]] : gaps;
  }
}

const parts = (...ranges: Range[]): Range[] => ranges.filter(([start, end]) => start < end);
