// Owns the runs that faults are injected into on fleets: each has to end on the bits of one thread.
import type { TrainingState } from '../../src/checkpoint.js';
import { CONTENT, expectState } from './node.contract.js';
import { AUTOENCODER, INITIAL, MODEL, SHAPE, trainMixed, trainSliced } from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';
import type { TestFleet } from './test-fleet.js';

const onOneThread = (train: (node: ReturnType<typeof oneThreadNode>) => Promise<TrainingState>) =>
  train(oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } }));

let mixed: Promise<TrainingState> | undefined;
const sliced = new Map<typeof MODEL, Promise<TrainingState>>();

/** By rows, with a labelling and the evaluation images. */
export async function exactByRows({ fleet }: TestFleet): Promise<void> {
  mixed ??= onOneThread(trainMixed);
  const expected = await mixed;
  fleet.write({ parameters: INITIAL.parameters! });
  await fleet.predict(MODEL, 'evaluation', [
    [0, 50],
    [50, 100],
  ]);
  fleet.write({ pseudoLabels: new Uint8Array(SHAPE.unlabelled), confidences: new Float32Array(SHAPE.unlabelled) });
  expectState(await trainMixed(fleet), expected);
}

/** By hidden units: the classifier, unless told otherwise. */
export async function exactBySlices({ fleet }: TestFleet, model = MODEL): Promise<void> {
  if (!sliced.has(model))
    sliced.set(
      model,
      onOneThread((node) => trainSliced(node, model)),
    );
  expectState(await trainSliced(fleet, model), await sliced.get(model)!);
}

export const exactAutoencoder = (on: TestFleet): Promise<void> => exactBySlices(on, AUTOENCODER);
