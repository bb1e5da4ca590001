// Holds the training loop: pseudo-label learning, stage by stage and step by step, in the words of Lee 2013. Read this
// file first. The loop knows nothing of threads or machines: what it asks of them is in dispatcher.ts. Each way of
// learning from unlabelled images is a method (src/methods/).

import type { ImageSize } from '../src/data/augmentation.js';
import { LabelledSampler } from '../src/data/sampling.js';
import { PseudolabelError } from '../src/errors.js';
import type { SharesChoice } from '../src/methods/class-balance.js';
import type { MethodState, Propagation } from '../src/methods/method.js';
import { methodOf } from '../src/methods/methods.js';
import { firstLayerEnd, initialParameters, outputsOf, parameterCount } from '../src/models/models.js';
import type { LabelledRows } from '../src/models/tasks.js';
import { alphaAt, optimizerStep, type Stage } from '../src/training/stage.js';
import type { Dispatcher, Labelling } from './dispatcher.js';
import type { LabelledSet } from './labelled-set.js';
import type { SearchListener, SearchProgress } from './propagation.js';
import type { StepOutcome } from './strategies/strategy.js';

export interface Training {
  readonly seed: number;
  readonly stages: readonly Stage[];
  /** The labelled images. They stay at the coordinator, except for the rows of the current step. */
  readonly labelled: LabelledSet;
  /** Ends each stage after this number of steps. */
  readonly maxSteps: number;
  /** The parameters that the first stage starts from. If left out, they are drawn from the seed. */
  readonly parameters?: Float32Array | undefined;
  /** The size of the images. It is needed by stages that augment or describe images. */
  readonly images?: ImageSize;
  /** The rows of the training set that are used without their labels. They are needed if labels spread over them. */
  readonly unlabelled?: Uint32Array;
}

/**
 * Step `step` of stage `stage` (an index) is the next one to do. This and the executor's state are all that the rest of
 * the run depends on.
 */
export interface Position {
  readonly stage: number;
  readonly step: number;
  /** What the stage's method carries from step to step. */
  readonly methodState: MethodState;
}

/**
 * Is told what the loop does. `beforeStep` is called between two steps, when the state is complete: there a run is
 * saved or stopped.
 */
export interface Observer {
  stageBegins(stage: Stage, position: Position, steps: number): void;
  beforeStep(position: Position): Promise<void>;
  /**
   * Is called while a graph of very many images is made, before the step at `position`. The state is still complete.
   */
  searching?(position: Position, progress: SearchProgress): Promise<void>;
  afterLabelling(stage: Stage, step: number, labelling: Labelling): void;
  /** Is called before the first step whose pseudo-labels count, if they are held to shares. */
  sharesChosen(stage: Stage, step: number, choice: SharesChoice): void;
  afterStep(
    stage: Stage,
    step: number,
    outcome: Omit<StepOutcome, 'statistics'> & { readonly alpha: number },
  ): void | Promise<void>;
}

/**
 * Trains all stages. Throws what `beforeStep` throws, and E_NOT_FINITE.
 * @param resumed the position of the state that the executor already holds; undefined for a new run
 */
export async function train(
  training: Training,
  dispatcher: Dispatcher,
  observer: Observer,
  resumed: Position | undefined,
): Promise<void> {
  for (let index = resumed?.stage ?? 0; index < training.stages.length; index++) {
    const resumedHere = resumed?.stage === index ? resumed : undefined;
    if (!resumedHere) await startStage(training, index, dispatcher);
    await trainStage(training, index, dispatcher, observer, resumedHere);
  }
}

/**
 * Trains one stage. Each step labels images if the method asks for it, trains on a mini-batch and updates the state of
 * the method.
 */
async function trainStage(
  training: Training,
  index: number,
  dispatcher: Dispatcher,
  observer: Observer,
  resumed: Position | undefined,
): Promise<void> {
  const { seed, labelled, maxSteps, images } = training;
  const stage = training.stages[index]!;
  const steps = Math.min(stage.steps, maxSteps);
  const { method: settings } = stage;
  const method = methodOf(settings);
  const labelCounts = labelled.countsOf(outputsOf(stage.model));
  const sampler = new LabelledSampler();
  const first = resumed?.step ?? 0;
  let state = resumed ? resumed.methodState : method.begin(settings, labelCounts);
  observer.stageBegins(stage, { stage: index, step: first, methodState: state }, steps);

  for (let step = first; step < steps; step++) {
    const position = { stage: index, step, methodState: state };
    await observer.beforeStep(position);

    if (method.isRelabelling(settings, step)) {
      const onSearch: SearchListener = (progress) => observer.searching?.(position, progress);
      const graph = method.propagation(settings, labelCounts);
      const labelling = graph
        ? await propagate(training, stage, graph, dispatcher, onSearch)
        : await dispatcher.label(stage.model);
      state = method.relabelled(settings, state, labelling.confidences);
      observer.afterLabelling(stage, step, labelling);
    }
    const chosen = method.choose(settings, step, state, labelCounts);
    if (chosen) {
      state = chosen.state;
      observer.sharesChosen(stage, step, chosen.choice);
    }

    const { statistics, ...outcome } = await dispatcher.step({
      model: stage.model,
      seed,
      stage: index,
      step,
      labelled: drawLabelled(training, index, sampler, step),
      unlabelled: method.rows(settings, step, state, labelCounts),
      ...(stage.augment && images && { augment: { ...images, ...stage.augment } }),
      optimizer: optimizerStep(stage, step),
    });
    state = method.next(settings, step, state, statistics);
    await observer.afterStep(stage, step, { ...outcome, alpha: alphaAt(stage, step) });
  }
  if (stage.average !== undefined) await takeAverage(stage, dispatcher);
}

/** Sets the parameters that a stage starts from, and resets the optimizer. */
async function startStage(
  { stages, seed, parameters: given }: Training,
  index: number,
  dispatcher: Dispatcher,
): Promise<void> {
  const stage = stages[index]!;
  const length = parameterCount(stage.model);
  const parameters = index === 0 && given ? given.slice() : initialParameters(stage.model, seed, index);
  if (stage.start !== 'fresh') {
    const previous = stages[index - 1];
    if (!previous)
      throw new PseudolabelError('E_CONFIG', `stage 0 (${stage.name}) has no stage before it`, 'start it fresh');
    const { parameters: learned } = await dispatcher.read(previous.model);
    const kept = stage.start === 'previous' ? length : firstLayerEnd(stage.model);
    parameters.set(learned.subarray(0, kept));
  }
  const moments = { firstMoment: new Float32Array(length), secondMoment: new Float32Array(length) };
  dispatcher.write({ parameters, ...moments, ...(stage.average !== undefined && { average: parameters }) });
}

/** Replaces the weights by their average, at the end of a stage that keeps one. */
async function takeAverage({ model }: Stage, dispatcher: Dispatcher): Promise<void> {
  const { average, firstMoment, secondMoment } = await dispatcher.read(model);
  dispatcher.write({ parameters: average!, firstMoment, secondMoment });
}

/** Spreads the few labels over all images. */
function propagate(
  { labelled, unlabelled, images }: Training,
  { model }: Stage,
  graph: Propagation,
  dispatcher: Dispatcher,
  onSearch: SearchListener,
): Promise<Labelling> {
  if (!unlabelled || !images) throw new RangeError('labels spread over images whose rows and size are not given');
  return dispatcher.propagate(model, graph, labelled.seedsAmong(unlabelled), images, onSearch);
}

/** Returns the labelled rows of a step, or undefined in a stage that uses none. */
function drawLabelled(
  { stages, seed, labelled }: Training,
  index: number,
  sampler: LabelledSampler,
  step: number,
): LabelledRows | undefined {
  const { labelledBatch: batch } = stages[index]!;
  if (batch === 0) return undefined;
  return labelled.rows(sampler.draw({ seed, stage: index, count: labelled.count, batch }, step));
}
