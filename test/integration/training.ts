// Owns what tests of training have in common: the plans, a node's content, an observer, and the training itself.
import type { Cluster } from '../../coordinator/cluster.js';
import { type Observer, type Position, type Training, train } from '../../coordinator/train.js';
import type { Stage } from '../../src/stage.js';
import type { NodeOptions } from '../../worker/node.js';
import type { Problem } from './oracle.js';
import { PLANS } from './problems.js';

export const plans = Object.entries(PLANS).map(([name, stages]) => ({ name, stages: stages as readonly Stage[] }));

export const contentOf = ({ shape, unlabelled }: Problem): NodeOptions => {
  return { shape, images: unlabelled, evaluationImages: new Uint8Array() };
};

/** Does nothing but what is given. */
export function listener(part: Partial<Observer> = {}): Observer {
  const nothing = () => undefined;
  return {
    before: async () => undefined,
    stageBegins: nothing,
    labelled: nothing,
    sharesChosen: nothing,
    stepped: nothing,
    ...part,
  };
}

/** The parameters that the last stage ends on. */
export async function trained(training: Training, cluster: Cluster, observer = listener(), resumed?: Position) {
  await train(training, cluster, observer, resumed);
  return (await cluster.read(training.stages.at(-1)!.model)).parameters;
}
