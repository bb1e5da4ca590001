// Describes how a model is cut into tensor shards, and sums what all of them return.
import { joined, subtreesIn } from '../../src/collectives/tree.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { sumOf } from '../../src/models/dense/tensor-exchange.js';
import { tensorShardCount } from '../../src/models/dense/tensor-layout.js';
import type { Logits, TensorShardRange, TensorStep } from '../../src/models/tensor-tasks.js';

/** A model, and the number of shards that its hidden units are cut into. */
export interface TensorCut {
  readonly model: DenseModel;
  readonly shards: number;
}

/** Returns the number of tensor shards. A model with few units has fewer of them than the run has shards. */
export const shardCountOf = ({ model, shards }: TensorCut): number => tensorShardCount(model, shards);

export const isSameCut = (a: TensorCut, b: TensorCut | undefined): boolean =>
  b !== undefined && a.shards === b.shards && isSameModel(a.model, b.model);

/** Compares the fields of two models, because a model is made anew for each stage. */
function isSameModel(a: DenseModel, b: DenseModel): boolean {
  const isSameLayer = (layer: DenseModel['layers'][number], i: number) => {
    const other = b.layers[i]!;
    return layer.inputs === other.inputs && layer.units === other.units && layer.dropout === other.dropout;
  };
  if (a === b) return true;
  const isAlike = a.objective === b.objective && a.inputDropout === b.inputDropout;
  return isAlike && a.layers.length === b.layers.length && a.layers.every(isSameLayer);
}

/**
 * Returns the sum over all tensor shards, in the order of the tree. It does not depend on who computed them.
 * @param parts ranges that cover all shards
 * @param sums the sums of the subtrees of each part
 */
export function wholeOf(
  parts: readonly TensorShardRange[],
  sums: readonly (readonly Logits[])[],
  step: TensorStep,
): Logits {
  const shards = shardCountOf(step);
  const known = new Map<string, Logits>();
  const nameOf = ({ first, count }: { first: number; count: number }) => `${first}+${count}`;
  parts.forEach((part, p) => {
    for (const [i, subtree] of subtreesIn(part, shards).entries()) known.set(nameOf(subtree), sums[p]![i]!);
  });
  return joined({ first: 0, count: shards }, (subtree) => known.get(nameOf(subtree)), sumOf);
}
