// Where the matrices of a tensor shard lie that products read and write: block by block of its units, and of the outputs above it.
import type { Arena } from '../../engine/arena.js';
import { BYTES, isRounded, precisionOf } from '../../engine/precision.js';
import type { Activations, LayerProducts, Lists, Matrix } from '../../engine/products.js';
import { blockUnits } from './layer.js';
import type { DenseModel } from './model.js';
import { parallelBlocksOf } from './tensor-blocks.js';
import { OUTPUT_GROUP, type RowCounts, type TensorShardPlaces, unitsOf } from './tensor-layout.js';

export interface TensorShardOf {
  readonly places: TensorShardPlaces;
  readonly group: number;
  readonly block: number;
  readonly slice: number;
}

/** Matrices of one block of units. */
export interface Block {
  /** Its first unit. */
  readonly first: number;
  readonly units: number;
  readonly weights: Matrix;
  /** Its part of the output kernel, [outputs, units]. */
  readonly packed: Matrix;
  readonly hidden: Matrix;
  readonly dz: Matrix;
  /** In the group's scratch. */
  readonly clean: Matrix | undefined;
  readonly weightsGradient: Matrix;
}

/** Matrices of some of the outputs. */
export interface Outputs {
  readonly first: number;
  readonly count: number;
  readonly gradient: Matrix;
  readonly kernelGradient: Matrix;
}

export type TensorShardMatrices = ReturnType<typeof matricesOf>;

export function matricesOf(
  layerProducts: LayerProducts,
  arena: Arena,
  model: DenseModel,
  { rows, clean }: RowCounts,
  of: TensorShardOf,
) {
  const group = of.places.groups[of.group]!;
  const places = of.places.blocks[of.block]!;
  const own = places.slices[of.slice]!;
  const block = parallelBlocksOf(model)[of.block]!;
  const { inputs } = block.hidden;
  const { units: outputs } = block.output;
  const isUpper = of.block > 0;
  const precision = precisionOf(model);
  const rounds = isRounded(model);
  const bytes = BYTES[precision];
  const matrix = (at: number, r: number, c: number) => layerProducts.matrix(at, r, c);
  const optional = (at: number, r: number, c: number) => (r * c === 0 ? undefined : matrix(at, r, c));

  const [first, end] = unitsOf(model, places.slices.length, of.slice, of.block);
  const { parameters, rounded } = arena.regions;
  const kernel = (rounds ? rounded : parameters) + block.below.kernel * bytes;
  const blocks = parts(end - first, blockUnits(precision)).map(
    ([from, units]): Block => ({
      first: first + from,
      units,
      weights: matrix(kernel + (first + from) * inputs * bytes, units, inputs),
      packed: matrix(own.kernel + from * outputs * bytes, outputs, units),
      hidden: matrix(own.hidden + from * rows * bytes, units, rows),
      dz: matrix(isUpper ? own.hiddenGradient + from * rows * bytes : group.block, units, rows),
      clean: optional(group.block, units, clean),
      weightsGradient: matrix(group.weights, units, inputs),
    }),
  );

  const gradient = rounds ? group.product : places.gradient;
  const most = Math.floor(group.weightFloats / (end - first) / OUTPUT_GROUP) * OUTPUT_GROUP;
  const some = parts(outputs, most).map(
    ([from, count]): Outputs => ({
      first: from,
      count,
      gradient: matrix(gradient + from * rows * bytes, count, rows),
      kernelGradient: matrix(group.weights, count, end - first),
    }),
  );

  const cleanInputs = optional(group.cleanOperand, clean, inputs);
  const unitsMajor = (of: Matrix): Activations => ({ matrix: of, isRowMajor: false });
  return {
    blocks,
    outputs: some,
    /** What the pair reads. */
    inputs: isUpper
      ? unitsMajor(matrix(places.inputs, inputs, rows))
      : rowsOf(matrix(rounds ? group.operand : group.x, rows, inputs), rounds ? undefined : group.lists),
    cleanInputs: cleanInputs && rowsOf(cleanInputs, rounds ? undefined : { byRow: group.cleanLists, byInput: 0 }),
    hidden: unitsMajor(matrix(own.hidden, end - first, rows)),
    outputGradient: matrix(gradient, outputs, rows),
    products: {
      rows: matrix(group.product, outputs, rows),
      clean: optional(group.product, outputs, clean),
      inputs: optional(group.product, isUpper ? inputs : 0, rows),
    },
  };
}

const rowsOf = (matrix: Matrix, lists: Lists | undefined): Activations =>
  lists ? { matrix, isRowMajor: true, lists } : { matrix, isRowMajor: true };

/** Ranges of at most so many. */
function parts(count: number, most: number): (readonly [first: number, length: number])[] {
  return Array.from({ length: Math.ceil(count / most) }, (_, k) => [k * most, Math.min(most, count - k * most)]);
}
