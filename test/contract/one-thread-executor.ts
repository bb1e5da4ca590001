// Makes an executor without threads. Every task is done at once, in order. Other executors must compute the same.

import { createArena, floats, pseudoLabels as storedLabels } from '../../src/engine/arena.js';
import { nearest } from '../../src/graph/neighbours.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { give, sumsOf, type TensorExchange, tensorExchangeOf } from '../../src/models/dense/tensor-exchange.js';
import { tensorStep } from '../../src/models/dense/tensor-step.js';
import { describe } from '../../src/models/describe.js';
import { createEngine, type Engine } from '../../src/models/engine.js';
import { gradient } from '../../src/models/gradient.js';
import { clipScale, norm, normOf } from '../../src/models/gradient-clipping.js';
import { predict } from '../../src/models/predict.js';
import type { Logits } from '../../src/models/tensor-tasks.js';
import { update } from '../../src/models/update.js';
import type { Executor } from '../../src/training/executor.js';
import { passOf, TensorPasses } from '../../worker/tensor-steps.js';
import type { ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { denseOf } from '../dense.js';

export function oneThreadExecutor({ shape, images }: ThreadExecutorOptions): Executor {
  return nodeOn(createEngine(createArena(shape, images)));
}

export function nodeOn(engine: Engine): Executor {
  const { arena } = engine;
  const { shape } = arena;
  let updates = 0;
  let steps = 0;
  let tensor: TensorExchange | undefined;
  let exchange = 0;
  const pass = (): Logits => {
    for (const task of tensor!.tasks) tensorStep(engine, task);
    return sumsOf(tensor!, exchange)[0]!;
  };
  const whole = new TensorPasses(arena, 1, async (step) => {
    steps++;
    exchange = 0;
    tensor = tensorExchangeOf(arena, step, { number: steps, workers: 1, patience: 0, range: undefined });
    return passOf(pass(), {
      onward: async (values) => {
        give(tensor!, exchange++, values);
        return pass();
      },
      backward: async (values) => {
        give(tensor!, exchange, values);
        return tensor!.tasks.map((task) => tensorStep(engine, task));
      },
    });
  });
  return {
    workers: 1,
    health: () => ({ lostWorkers: 0 }),
    gradients: async (steps) => {
      const { model, shards } = steps[0]!;
      const all = { slice: 0, start: 0, end: layoutOf(denseOf(model)).length };
      return {
        results: steps.map((step) => gradient(engine, { ...step, kind: 'gradient', workspace: 0 })),
        update: async (optimizer) => {
          updates++;
          const { clip } = optimizer;
          const scale =
            clip === undefined ? 1 : clipScale(clip, normOf([norm(engine, { kind: 'norm', ...all, shards })]));
          return [update(engine, { kind: 'update', update: updates, ...all, shards, optimizer, scale })];
        },
      };
    },
    forward: (step) => whole.forward(step),
    predict: async (model, set, ranges) =>
      ranges.map(([start, end]) => predict(engine, { kind: 'predict', workspace: 0, model, set, start, end })),
    describe: async (description, ranges) =>
      ranges.map(([start, end]) => describe(engine, { ...description, kind: 'describe', workspace: 0, start, end })),
    neighbours: async (rows, neighbours, blocks) =>
      blocks.map(([start, end]) => ({ ...nearest(rows, [start, end], neighbours, 0), milliseconds: 0 })),
    read: async (parameters) => ({
      parameters: floats(arena, 'parameters', parameters).slice(),
      firstMoment: floats(arena, 'firstMoment', parameters).slice(),
      secondMoment: floats(arena, 'secondMoment', parameters).slice(),
      ...(shape.averages && { average: floats(arena, 'average', parameters).slice() }),
      pseudoLabels: storedLabels(arena).slice(),
      confidences: floats(arena, 'confidences', shape.unlabelled).slice(),
    }),
    write: ({ pseudoLabels, ...vectors }) => {
      for (const [region, values] of Object.entries(vectors)) {
        floats(arena, region as keyof typeof vectors, values.length).set(values);
      }
      if (pseudoLabels) storedLabels(arena).set(pseudoLabels);
    },
    close: async () => undefined,
  };
}
