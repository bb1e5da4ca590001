// What the threads of a process share inside tfjs-node: its set of attribute names, which has no lock.
import type { TFJSBinding } from '@tensorflow/tfjs-node/dist/tfjs_binding.js';
import { afterAll, expect, it } from 'vitest';
import { nativeBinding, prepareForThreads, tensorflow } from '../../src/engine/tensorflow.js';
import { BF16 } from '../bf16.js';
import { EVALUATION_IMAGES, IMAGES, MODEL, shapeOf, trainMixed } from '../contract/node-work.js';
import { oneThreadNode } from '../contract/one-thread-node.js';

const backend = tensorflow().backend() as unknown as { binding: TFJSBinding };
const binding = nativeBinding();
const names = new Set<string>();

const executeOp: TFJSBinding['executeOp'] = (name, attributes, inputs, outputs) => {
  for (const attribute of attributes) names.add(attribute.name);
  return binding.executeOp(name, attributes, inputs, outputs);
};
backend.binding = Object.create(binding, { executeOp: { value: executeOp } });
afterAll(() => {
  backend.binding = binding;
});

it('no thread is the first to use an attribute name: preparing has used all that steps of any kind use', async () => {
  prepareForThreads();
  const prepared = [...names].sort();
  names.clear();
  const models = [MODEL, ...BF16.map((precision) => ({ ...MODEL, precision }))];
  for (const model of models) {
    const shape = { ...shapeOf(model), lanes: 1 };
    await trainMixed(oneThreadNode({ shape, images: IMAGES, evaluationImages: EVALUATION_IMAGES }), model);
  }
  expect(prepared).toEqual([...names].sort());
  expect(prepared).toContain('transpose_a');
});
