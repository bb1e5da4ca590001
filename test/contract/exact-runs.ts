// Runs the work that faults are injected into on clusters. Each run must end with the bits of one thread.
import { expect } from 'vitest';
import type { TrainingState } from '../../src/training/executor.js';
import { CONTENT, expectState } from './executor.contract.js';
import { AUTOENCODER, INITIAL, MODEL, SHAPE, trainMixed, trainTensorParallel } from './executor-work.js';
import { graphBy } from './graph-work.js';
import { oneThreadExecutor } from './one-thread-executor.js';
import type { TestCluster } from './test-cluster.js';

const onOneThread = (train: (node: ReturnType<typeof oneThreadExecutor>) => Promise<TrainingState>) =>
  train(oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } }));

let graph: ReturnType<typeof graphBy> | undefined;
let mixed: Promise<TrainingState> | undefined;
const tensor = new Map<typeof MODEL, Promise<TrainingState>>();

/** Describes images by the parameters that a run begins with, and finds neighbours among them. */
export async function exactGraph({ cluster }: TestCluster): Promise<void> {
  if (!graph) {
    const oracle = oneThreadExecutor({ ...CONTENT, shape: { ...SHAPE, workspaces: 1 } });
    oracle.write(INITIAL);
    graph = graphBy(oracle);
  }
  cluster.write(INITIAL);
  expect(await graphBy(cluster)).toEqual(await graph);
}

/** Trains by data-parallel steps, with a labelling and the evaluation images. */
export async function exactByRows({ cluster }: TestCluster): Promise<void> {
  mixed ??= onOneThread(trainMixed);
  const expected = await mixed;
  cluster.write({ parameters: INITIAL.parameters! });
  await cluster.predict(MODEL, 'evaluation', [
    [0, 50],
    [50, 100],
  ]);
  cluster.write({ pseudoLabels: new Uint16Array(SHAPE.unlabelled), confidences: new Float32Array(SHAPE.unlabelled) });
  expectState(await trainMixed(cluster), expected);
}

/** Trains by tensor-parallel steps. The default model is the classifier. */
export async function exactByTensorShards({ cluster }: TestCluster, model = MODEL): Promise<void> {
  if (!tensor.has(model))
    tensor.set(
      model,
      onOneThread((node) => trainTensorParallel(node, model)),
    );
  expectState(await trainTensorParallel(cluster, model), await tensor.get(model)!);
}

export const exactAutoencoder = (on: TestCluster): Promise<void> => exactByTensorShards(on, AUTOENCODER);
