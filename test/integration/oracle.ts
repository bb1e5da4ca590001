// The oracle, and an example: it runs the whole method in one thread, with src/ alone. Every run, on any number of
// threads or machines, must end with the same bits for the same seed, stages, images and number of shards.

import type { Images } from '../../src/data/images.js';
import { labelledBatch } from '../../src/data/sampling.js';
import { shardRange } from '../../src/data/shards.js';
import { type ArenaShape, createArena, floats } from '../../src/engine/arena.js';
import {
  beginBalance,
  type ClassBalance,
  chooseShares,
  isChoice,
  isSurvey,
  logitShift,
  nextBalance,
  surveyShift,
} from '../../src/methods/class-balance.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { createEngine } from '../../src/models/engine.js';
import { gradient } from '../../src/models/gradient.js';
import { initialParameters } from '../../src/models/models.js';
import { predict } from '../../src/models/predict.js';
import type { LabelledRows } from '../../src/models/tasks.js';
import { update } from '../../src/models/update.js';
import { alphaAt, optimizerStep, type Stage } from '../../src/training/stage.js';
import { denseOf } from '../dense.js';
import { NO_IMAGES } from '../images.js';

export interface Problem {
  readonly seed: number;
  readonly stages: readonly Stage[];
  readonly shape: ArenaShape;
  readonly unlabelled: Images;
  /** The few images that have labels. */
  readonly labelled: LabelledRows;
}

/** Returns the parameters at the end of the last stage. */
export function trainInOneThread({ seed, stages, shape, unlabelled, labelled }: Problem): Float32Array {
  const arena = createArena(shape, { unlabelled, evaluation: NO_IMAGES });
  const engine = createEngine(arena);
  const shards = Array.from({ length: shape.shards }, (_, shard) => shard);
  const order = { seed, shards: shape.shards, workspace: 0 };
  let updates = 0;

  for (const [s, stage] of stages.entries()) {
    const { model } = stage;
    const { length, places } = layoutOf(denseOf(model));
    const kept = { fresh: 0, 'first-layer': places[1]?.kernel ?? length, previous: length }[stage.start];
    floats(arena, 'parameters', length).set(initialParameters(model, seed, s).subarray(kept), kept);
    floats(arena, 'firstMoment', length).fill(0);
    floats(arena, 'secondMoment', length).fill(0);
    const counts = countsOf(labelled.labels, denseOf(model).layers.at(-1)!.units);
    const pseudo = stage.method.name === 'pseudo-label' ? stage.method : undefined;
    let balance = pseudo ? beginBalance(pseudo, counts) : { target: [], predicted: [] };

    for (let step = 0; step < stage.steps; step++) {
      for (const shard of isLabellingDue(stage, step) ? shards : []) {
        const [start, end] = shardRange(shape.unlabelled, shape.shards, shard);
        predict(engine, { kind: 'predict', workspace: 0, model, set: 'unlabelled', start, end });
      }
      const drawn = drawLabelled(labelled, seed, s, stage, step);
      if (pseudo && isChoice(pseudo, step)) {
        const { shares } = chooseShares(pseudo, step, balance, counts);
        balance = { target: shares, predicted: shares };
      }
      const masses = counts.map(() => 0);
      for (const shard of shards) {
        const [first, end] = shardRange(drawn.length, shape.shards, shard);
        const part = rowsAt(labelled, shape.pixels, drawn.subarray(first, end));
        const rows = {
          labelled: part,
          labelledBatch: drawn.length,
          unlabelled: unlabelledRows(stage, step, balance, counts),
        };
        const result = gradient(engine, { kind: 'gradient', model, ...order, stage: s, step, shard, ...rows });
        for (const [c, mass] of result.statistics.entries()) masses[c]! += mass;
      }
      if (pseudo) balance = nextBalance(pseudo, step, balance, masses);
      const whole = { slice: 0, start: 0, end: length, shards: shape.shards };
      update(engine, { kind: 'update', update: ++updates, ...whole, optimizer: optimizerStep(stage, step) });
    }
  }
  return floats(arena, 'parameters', layoutOf(denseOf(stages.at(-1)!.model)).length).slice();
}

function isLabellingDue({ method }: Stage, step: number): boolean {
  if (method.name !== 'pseudo-label' || method.refresh === 'step') return false;
  return method.refresh === 'once' ? step === 0 : step % method.refresh === 0;
}

function drawLabelled({ labels }: LabelledRows, seed: number, s: number, stage: Stage, step: number): Uint32Array {
  if (stage.labelledBatch === 0) return new Uint32Array();
  return labelledBatch({ seed, stage: s, count: labels.length, batch: stage.labelledBatch }, step);
}

function rowsAt({ images, labels }: LabelledRows, pixels: number, positions: Uint32Array): LabelledRows {
  const rows = Array.from(positions, (position) => images.subarray(position * pixels, (position + 1) * pixels));
  return { images: Buffer.concat(rows), labels: Uint16Array.from(positions, (position) => labels[position]!) };
}

function countsOf(labels: Uint16Array, classes: number): number[] {
  return Array.from({ length: classes }, (_, c) => labels.filter((label) => label === c).length);
}

/** Returns nothing while alpha(t) is 0, except for a survey. A reconstruction has no labels, and a factor of 1. */
function unlabelledRows(
  stage: Stage,
  step: number,
  balance: ClassBalance,
  labelCounts: readonly number[],
): UnlabelledRows | undefined {
  const { method } = stage;
  const plain = { logitShift: undefined, masses: 'plain', noise: 0 } as const;
  if (method.name === 'denoising') {
    const { batch, noise } = method;
    return { ...plain, batch, noise, factor: 1, method: 'denoising', settings: {}, pseudoLabels: 'none' };
  }
  const factor = alphaAt(stage, step);
  if (method.name === 'supervised') return undefined;
  if (method.name !== 'pseudo-label') throw new RangeError('its labels have oracles of their own');
  if (factor === 0 && !isSurvey(method, step)) return undefined;
  const { name, batch, threshold, refresh } = method;
  const rows = { ...plain, batch, factor, method: name, settings: { threshold } } as const;
  if (isSurvey(method, step))
    return { ...rows, pseudoLabels: 'fresh', logitShift: surveyShift(balance, labelCounts), masses: 'shifted' };
  if (refresh !== 'step') return { ...rows, pseudoLabels: 'stored' };
  return { ...rows, pseudoLabels: 'fresh', logitShift: method.balance && logitShift(balance) };
}
