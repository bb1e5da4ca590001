// The matrices of a tensor shard that products read and write: tile by tile of its units, and of the outputs above
// them.
import type { Arena } from '../../engine/arena.js';
import type { Activations, Lists, Matrix, Products } from '../../engine/products.js';
import { TILE_UNITS } from './layer.js';
import type { DenseModel } from './model.js';
import { parallelBlocksOf } from './tensor-blocks.js';
import { OUTPUT_GROUP, type RowCounts, type TensorShardPlaces, unitsOf } from './tensor-layout.js';

export interface TensorShardOf {
  readonly places: TensorShardPlaces;
  readonly group: number;
  readonly block: number;
  readonly shard: number;
}

/** The matrices of one tile of units. */
export interface Tile {
  /** Its first unit. */
  readonly first: number;
  readonly units: number;
  readonly weights: Matrix;
  /** Its part of the output kernel, [outputs, units]. */
  readonly packed: Matrix;
  readonly hidden: Matrix;
  readonly dz: Matrix;
  /** This matrix is in the group's scratch. */
  readonly clean: Matrix | undefined;
  readonly weightsGradient: Matrix;
}

/** The matrices of some of the outputs. */
export interface Outputs {
  readonly first: number;
  readonly count: number;
  readonly gradient: Matrix;
  readonly kernelGradient: Matrix;
}

export type TensorShardMatrices = ReturnType<typeof matricesOf>;

export function matricesOf(
  products: Products,
  arena: Arena,
  model: DenseModel,
  { rows, clean }: RowCounts,
  of: TensorShardOf,
) {
  const group = of.places.groups[of.group]!;
  const places = of.places.blocks[of.block]!;
  const own = places.shards[of.shard]!;
  const block = parallelBlocksOf(model)[of.block]!;
  const { inputs } = block.hidden;
  const { units: outputs } = block.output;
  const isUpper = of.block > 0;
  const matrix = (at: number, r: number, c: number) => products.matrix(at, r, c);
  const optional = (at: number, r: number, c: number) => (r * c === 0 ? undefined : matrix(at, r, c));

  const [first, end] = unitsOf(model, places.shards.length, of.shard, of.block);
  const kernel = arena.regions.parameters + block.below.kernel * 4;
  const tiles = parts(end - first, TILE_UNITS).map(
    ([from, units]): Tile => ({
      first: first + from,
      units,
      weights: matrix(kernel + (first + from) * inputs * 4, units, inputs),
      packed: matrix(own.kernel + from * outputs * 4, outputs, units),
      hidden: matrix(own.hidden + from * rows * 4, units, rows),
      dz: matrix(isUpper ? own.hiddenGradient + from * rows * 4 : group.tile, units, rows),
      clean: optional(group.tile, units, clean),
      weightsGradient: matrix(group.weights, units, inputs),
    }),
  );

  const most = Math.floor(group.weightFloats / (end - first) / OUTPUT_GROUP) * OUTPUT_GROUP;
  const some = parts(outputs, most).map(
    ([from, count]): Outputs => ({
      first: from,
      count,
      gradient: matrix(places.gradient + from * rows * 4, count, rows),
      kernelGradient: matrix(group.weights, count, end - first),
    }),
  );

  const cleanInputs = optional(group.cleanRows, clean, inputs);
  const unitsMajor = (of: Matrix): Activations => ({ matrix: of, isRowMajor: false });
  return {
    tiles,
    outputs: some,
    /** The inputs of the block. */
    inputs: isUpper
      ? unitsMajor(matrix(places.inputs, inputs, rows))
      : rowsOf(matrix(group.x, rows, inputs), group.lists),
    cleanInputs: cleanInputs && rowsOf(cleanInputs, { byRow: group.cleanLists, byInput: 0 }),
    hidden: unitsMajor(matrix(own.hidden, end - first, rows)),
    outputGradient: matrix(places.gradient, outputs, rows),
    /** Products that are then added. */
    sums: {
      rows: matrix(group.product, outputs, rows),
      clean: optional(group.product, outputs, clean),
      inputs: optional(group.product, isUpper ? inputs : 0, rows),
    },
  };
}

const rowsOf = (matrix: Matrix, lists: Lists): Activations => ({ matrix, isRowMajor: true, lists });

/** Returns ranges of at most `most` elements. */
function parts(count: number, most: number): (readonly [first: number, length: number])[] {
  return Array.from({ length: Math.ceil(count / most) }, (_, k) => [k * most, Math.min(most, count - k * most)]);
}
