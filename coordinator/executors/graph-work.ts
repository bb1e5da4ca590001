// Has other machines work on a graph of images: limits requests to what fits into a message, and checks that answers
// fit their requests.
import type { Neighbours } from '../../src/graph/neighbours.js';
import { BLOCK_ROWS, type Rows } from '../../src/graph/rows.js';
import { positionsOf, widthsOf } from '../../src/models/describe.js';
import { outputsOf } from '../../src/models/models.js';
import type { DescribeResult, Description, NeighboursResult } from '../../src/models/tasks.js';
import {
  describedFromWire,
  neighboursFromWire,
  type WireDescribed,
  type WireNeighbours,
} from '../../src/protocol/graph-fields.js';
import type { Ranges } from '../../src/training/executor.js';

/** The most bytes of a message's arrays. This is far below the limit of a message, unless a single range needs more. */
const MOST_BYTES = 2 ** 23;
/** The most images, and the most blocks of rows, of a request, so that a slow node answers in time. */
const MOST_IMAGES = 2 ** 13;
const MOST_BLOCKS = 2 ** 4;
/** A margin for the cosine of rows of length 1, computed in floats. */
const ROUNDING = 1.001;

/**
 * Describes ranges of images on another machine, in several requests.
 * @param ask may return anything
 * @param misfit makes the error for an answer that does not fit its request
 */
export async function describeElsewhere(
  description: Description,
  ranges: Ranges,
  ask: (ranges: [number, number][], images: number) => Promise<readonly WireDescribed[]>,
  misfit: () => Error,
): Promise<DescribeResult[]> {
  const { columns, classes } = sizesOf(description);
  const images = ([start, end]: Ranges[number]) => positionsOf({ ...description, start, end }).length;
  const bytes = (range: Ranges[number]) => images(range) * (columns + classes) * 4;
  const isFull = (group: Ranges) => sum(group, bytes) > MOST_BYTES || sum(group, images) > MOST_IMAGES;
  const results: DescribeResult[] = [];
  for (const group of groupsOf(ranges, isFull)) {
    const answers = await ask(group, sum(group, images));
    const found = answers.map(describedFromWire);
    const fit = (result: DescribeResult, i: number): boolean =>
      result.values.length === images(group[i]!) * columns &&
      (result.probabilities?.length ?? 0) === images(group[i]!) * classes &&
      result.values.every(Number.isFinite) &&
      (result.probabilities ?? []).every((each) => each >= 0 && each <= 1);
    if (found.length !== group.length || !found.every(fit)) throw misfit();
    results.push(...found);
  }
  return results;
}

/** Finds neighbours for ranges of blocks on another machine. It works like describeElsewhere(). */
export async function neighboursElsewhere(
  { shape: { count } }: Rows,
  neighbours: number,
  blocks: Ranges,
  ask: (blocks: [number, number][], rows: number) => Promise<readonly WireNeighbours[]>,
  misfit: () => Error,
): Promise<NeighboursResult[]> {
  const height = ([start, end]: Ranges[number]) =>
    Math.min(count, end * BLOCK_ROWS) - Math.min(count, start * BLOCK_ROWS);
  const isFull = (group: Ranges) =>
    sum(group, height) * neighbours * 8 > MOST_BYTES || sum(group, ([start, end]) => end - start) > MOST_BLOCKS;
  const results: NeighboursResult[] = [];
  for (const group of groupsOf(blocks, isFull)) {
    const answers = await ask(group, sum(group, height));
    const found = answers.map(neighboursFromWire);
    const fit = (result: Neighbours, i: number): boolean =>
      result.rows.length === height(group[i]!) * neighbours &&
      areNeighbours(result, neighbours, count, group[i]![0] * BLOCK_ROWS);
    if (found.length !== group.length || !found.every(fit)) throw misfit();
    results.push(...found);
  }
  return results;
}

/** Yields pieces of rows that fit into a message: their first row, and their floats as bytes. */
export function* piecesOfRows(rows: Rows): Generator<{ readonly first: number; readonly values: Uint8Array }> {
  const { count, columns } = rows.shape;
  const height = Math.max(1, Math.floor(MOST_BYTES / (columns * 4)));
  for (let first = 0; first < count; first += height) {
    const { buffer } = rows.read(first, Math.min(count, first + height));
    yield { first, values: new Uint8Array(buffer) };
  }
}

/** Returns the number of values in an image's answer. */
function sizesOf(description: Description): { readonly columns: number; readonly classes: number } {
  const { projection, model, withProbabilities } = description;
  const columns = projection
    ? sum(projection.bases, ({ mean, vectors }) => vectors.length / mean.length)
    : sum(widthsOf(description), (width) => width);
  return { columns, classes: withProbabilities && model ? outputsOf(model) : 0 };
}

/** Puts ranges into groups, in their order. Each group has at least one range and is not full. */
function groupsOf(ranges: Ranges, isFull: (group: Ranges) => boolean): [number, number][][] {
  const groups: [number, number][][] = [];
  for (const [start, end] of ranges) {
    const last = groups.at(-1);
    if (last && !isFull([...last, [start, end]])) last.push([start, end]);
    else groups.push([[start, end]]);
  }
  return groups;
}

/** Returns whether the neighbours of each row are other rows, the nearest first. */
function areNeighbours({ rows, cosines }: Neighbours, k: number, count: number, first: number): boolean {
  for (let e = 0; e < rows.length; e++) {
    const cosine = cosines[e]!;
    if (rows[e]! >= count || rows[e] === first + Math.floor(e / k)) return false;
    if (!(Math.abs(cosine) <= ROUNDING) || (e % k > 0 && cosine > cosines[e - 1]!)) return false;
  }
  return true;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((all, item) => all + of(item), 0);
}
