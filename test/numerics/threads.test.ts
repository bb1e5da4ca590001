// What the threads of a process share inside tfjs-node: its set of attribute names, which has no lock.
import { createRequire } from 'node:module';
import { afterAll, expect, it } from 'vitest';
import type { Binding } from '../../src/engine/binding.js';
import { nativeBinding, prepareForThreads } from '../../src/engine/tensorflow.js';
import { BF16 } from '../bf16.js';
import { IMAGES, MODEL, shapeOf, trainMixed } from '../contract/executor-work.js';
import { oneThreadExecutor } from '../contract/one-thread-executor.js';

const binding = nativeBinding();
const names = new Set<string>();

const executeOp: Binding['executeOp'] = (name, attributes, inputs, outputs) => {
  for (const attribute of attributes) names.add(attribute.name);
  return binding.executeOp(name, attributes, inputs, outputs);
};
// What is native cannot be spied on: whoever asks for the library is given something else.
const library = Object.values(createRequire(import.meta.url).cache).find((module) => module?.exports === binding)!;
library.exports = Object.create(binding, { executeOp: { value: executeOp } });
afterAll(() => {
  library.exports = binding;
});

it('no thread is the first to use an attribute name: preparing has used all that steps of any kind use', async () => {
  prepareForThreads();
  const prepared = [...names].sort();
  names.clear();
  const models = [MODEL, ...BF16.map((precision) => ({ ...MODEL, precision }))];
  for (const model of models) {
    const shape = { ...shapeOf(model), workspaces: 1 };
    await trainMixed(oneThreadExecutor({ shape, images: IMAGES }), model);
  }
  expect(prepared).toEqual([...names].sort());
  expect(prepared).toContain('transpose_a');
});
