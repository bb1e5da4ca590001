// Defines what tests of training have in common: the plans, a node's content, an observer, and the training itself.

import type { Dispatcher } from '../../coordinator/dispatcher.js';
import { type Observer, type Position, type Training, train } from '../../coordinator/train.js';
import type { Stage } from '../../src/training/stage.js';
import type { ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { NO_IMAGES } from '../images.js';
import type { Problem } from './oracle.js';
import { PLANS } from './problems.js';

export const plans = Object.entries(PLANS).map(([name, stages]) => ({ name, stages: stages as readonly Stage[] }));

export const contentOf = ({ shape, unlabelled }: Problem): ThreadExecutorOptions => {
  return { shape, images: { unlabelled, evaluation: NO_IMAGES } };
};

/** Returns an observer that only does what is given. */
export function listener(part: Partial<Observer> = {}): Observer {
  const nothing = () => undefined;
  return {
    beforeStep: async () => undefined,
    stageBegins: nothing,
    afterLabelling: nothing,
    sharesChosen: nothing,
    afterStep: nothing,
    ...part,
  };
}

/** Returns the parameters at the end of the last stage. */
export async function trained(training: Training, dispatcher: Dispatcher, observer = listener(), resumed?: Position) {
  await train(training, dispatcher, observer, resumed);
  return (await dispatcher.read(training.stages.at(-1)!.model)).parameters;
}
