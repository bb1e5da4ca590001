// Owns a node without threads: every task is done where it is asked for, in order. What other nodes compute has to be the same.
import { bytes, createArena, floats } from '../../src/engine/arena.js';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import { gradient } from '../../src/engine/gradient.js';
import { slices } from '../../src/engine/hidden.js';
import { layoutOf } from '../../src/engine/model.js';
import { predict } from '../../src/engine/predict.js';
import { roundParameters } from '../../src/engine/rounded.js';
import { give, type Slicing, slicingOf, sumsOf } from '../../src/engine/slicing.js';
import { update } from '../../src/engine/update.js';
import type { Node } from '../../src/protocol/node.js';
import type { Logits } from '../../src/protocol/slices.js';
import type { NodeOptions } from '../../worker/node.js';
import { WholeSteps } from '../../worker/whole-steps.js';

export function oneThreadNode({ shape, images, evaluationImages }: NodeOptions): Node {
  const arena = createArena(shape);
  bytes(arena, 'images', images.length).set(images);
  bytes(arena, 'evaluationImages', evaluationImages.length).set(evaluationImages);
  return nodeOn(createEngine(arena));
}

export function nodeOn(engine: Engine): Node {
  const { arena } = engine;
  const { shape } = arena;
  let updates = 0;
  let steps = 0;
  let sliced: Slicing | undefined;
  let exchange = 0;
  const pass = (): Logits => {
    for (const task of sliced!.tasks) slices(engine, task);
    return sumsOf(sliced!, exchange)[0]!;
  };
  const whole = new WholeSteps(arena, 1, {
    forward: async (step) => {
      steps++;
      exchange = 0;
      sliced = slicingOf(arena, step, { number: steps, workers: 1, patience: 0, range: undefined });
      return pass();
    },
    onward: async (values) => {
      give(sliced!, exchange++, values);
      return pass();
    },
    backward: async (values) => {
      give(sliced!, exchange, values);
      return sliced!.tasks.map((task) => slices(engine, task));
    },
  });
  return {
    name: 'one thread',
    workers: 1,
    writesInPlace: engine.writesInPlace,
    health: () => ({ lostWorkers: 0 }),
    gradients: async (steps) => steps.map((step) => gradient(engine, { ...step, kind: 'gradient', lane: 0 })),
    update: async (model, shards, optimizer) => {
      updates++;
      const whole = { slice: 0, start: 0, end: layoutOf(model).length };
      return [update(engine, { kind: 'update', update: updates, ...whole, shards, optimizer })];
    },
    forward: (step) => whole.forward(step),
    backward: (gradient) => whole.backward(gradient),
    predict: async (model, set, ranges) =>
      ranges.map(([start, end]) => predict(engine, { kind: 'predict', lane: 0, model, set, start, end })),
    read: async (parameters) => ({
      parameters: floats(arena, 'parameters', parameters).slice(),
      firstMoment: floats(arena, 'firstMoment', parameters).slice(),
      secondMoment: floats(arena, 'secondMoment', parameters).slice(),
      pseudoLabels: bytes(arena, 'pseudoLabels', shape.unlabelled).slice(),
      confidences: floats(arena, 'confidences', shape.unlabelled).slice(),
    }),
    write: ({ pseudoLabels, ...vectors }) => {
      for (const [region, values] of Object.entries(vectors)) {
        floats(arena, region as keyof typeof vectors, values.length).set(values);
      }
      if (vectors.parameters) roundParameters(arena, engine.kernel, vectors.parameters.length);
      if (pseudoLabels) bytes(arena, 'pseudoLabels', pseudoLabels.length).set(pseudoLabels);
    },
    close: async () => undefined,
  };
}
