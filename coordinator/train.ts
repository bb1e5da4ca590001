// The training loop. Read this first: pseudo-label learning, stage by stage and step by step, in the words of Lee 2013. It knows nothing of threads
// or machines: what it asks of them is in dispatcher.ts. How unlabelled images teach is a method (src/methods/).

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
  /** The few labels. They stay here but for the rows of the current step. */
  readonly labelled: LabelledSet;
  /** Ends each stage after so many steps. */
  readonly maxSteps: number;
  /** What the first stage starts from; left out: drawn by the seed. */
  readonly parameters?: Float32Array | undefined;
  /** The size of the images, where stages change or describe them. */
  readonly images?: ImageSize;
  /** The rows of the training set that are used without their labels, where labels spread over them. */
  readonly unlabelled?: Uint32Array;
}

/** Step `step` of stage `stage` is the next to do. With the state of the cluster, all that the rest of the run depends on. */
export interface Position {
  readonly stage: number;
  readonly step: number;
  /** What the stage's method remembers. */
  readonly methodState: MethodState;
}

/** What the loop tells as it goes. `before` comes between two steps, when the state is whole: the place to save or to stop. */
export interface Observer {
  before(position: Position): Promise<void>;
  stageBegins(stage: Stage, position: Position, steps: number): void;
  /** Comes while a graph of very many images is made, before the step at `position`, whose state is still whole. */
  searching?(position: Position, progress: SearchProgress): Promise<void>;
  labelled(stage: Stage, step: number, labelling: Labelling): void;
  /** Comes before the first step whose pseudo-labels count, if they are held to shares. */
  sharesChosen(stage: Stage, step: number, choice: SharesChoice): void;
  stepped(
    stage: Stage,
    step: number,
    outcome: Omit<StepOutcome, 'statistics'> & { readonly alpha: number },
  ): void | Promise<void>;
}

/**
 * Trains through all stages. resumed: where the state came from that the cluster already holds; undefined for a new run.
 * Throws what `before` throws, and E_NOT_FINITE.
 */
export async function train(
  training: Training,
  dispatcher: Dispatcher,
  observer: Observer,
  resumed: Position | undefined,
): Promise<void> {
  const { seed, stages, labelled, maxSteps } = training;
  const sampler = new LabelledSampler();
  for (const [s, stage] of stages.entries()) {
    if (resumed && s < resumed.stage) continue;
    const isResumed = s === resumed?.stage;
    const steps = Math.min(stage.steps, maxSteps);
    const first = isResumed ? resumed.step : 0;
    const { method: settings } = stage;
    const method = methodOf(settings);
    const labelCounts = labelled.countsOf(outputsOf(stage.model));
    let state = isResumed ? resumed.methodState : method.begin(settings, labelCounts);
    if (!isResumed) await begin(training, s, dispatcher);
    observer.stageBegins(stage, { stage: s, step: first, methodState: state }, steps);

    for (let step = first; step < steps; step++) {
      await observer.before({ stage: s, step, methodState: state });
      if (method.isRelabelling(settings, step)) {
        const graph = method.propagation(settings, labelCounts);
        const told: SearchListener = (progress) =>
          observer.searching?.({ stage: s, step, methodState: state }, progress);
        const labelling = await (graph
          ? propagate(training, stage, graph, dispatcher, told)
          : dispatcher.label(stage.model));
        state = method.relabelled(settings, state, labelling.confidences);
        observer.labelled(stage, step, labelling);
      }
      const chosen = method.choose(settings, step, state, labelCounts);
      if (chosen) {
        state = chosen.state;
        observer.sharesChosen(stage, step, chosen.choice);
      }

      const { statistics, ...outcome } = await dispatcher.step({
        model: stage.model,
        seed,
        stage: s,
        step,
        labelled: drawLabelled(labelled, sampler, seed, s, stage, step),
        unlabelled: method.rows(settings, step, state, labelCounts),
        ...(stage.augment && training.images && { augment: { ...training.images, ...stage.augment } }),
        optimizer: optimizerStep(stage, step),
      });
      state = method.next(settings, step, state, statistics);
      await observer.stepped(stage, step, { ...outcome, alpha: alphaAt(stage, step) });
    }
    if (stage.average !== undefined) await takeAverage(stage, dispatcher);
  }
}

/** Sets the parameters that a stage starts from, and an optimizer that remembers nothing. */
async function begin({ stages, seed, parameters: given }: Training, s: number, dispatcher: Dispatcher): Promise<void> {
  const stage = stages[s]!;
  const length = parameterCount(stage.model);
  const parameters = s === 0 && given ? given.slice() : initialParameters(stage.model, seed, s);
  if (stage.start !== 'fresh') {
    const previous = stages[s - 1];
    if (!previous)
      throw new PseudolabelError('E_CONFIG', `stage 0 (${stage.name}) has no stage before it`, 'start it fresh');
    const { parameters: learned } = await dispatcher.read(previous.model);
    const kept = stage.start === 'previous' ? length : firstLayerEnd(stage.model);
    parameters.set(learned.subarray(0, kept));
  }
  const moments = { firstMoment: new Float32Array(length), secondMoment: new Float32Array(length) };
  dispatcher.write({ parameters, ...moments, ...(stage.average !== undefined && { average: parameters }) });
}

/** What a stage ends with is the average of its weights. */
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
  told: SearchListener,
): Promise<Labelling> {
  if (!unlabelled || !images) throw new RangeError('labels spread over images whose rows and size are not given');
  return dispatcher.propagate(model, graph, labelled.seedsAmong(unlabelled), images, told);
}

function drawLabelled(
  set: LabelledSet,
  sampler: LabelledSampler,
  seed: number,
  s: number,
  stage: Stage,
  step: number,
): LabelledRows | undefined {
  if (stage.labelledBatch === 0) return undefined;
  return set.rows(sampler.draw({ seed, stage: s, count: set.count, batch: stage.labelledBatch }, step));
}
