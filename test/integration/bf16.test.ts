// Training in bf16: the same bits for any number of workers, after the loss of one, and after a stop, by either strategy.
import { describe, expect, it } from 'vitest';
import { Cluster } from '../../coordinator/cluster.js';
import { FaultyNode } from '../../coordinator/faults.js';
import { DataParallel } from '../../coordinator/strategies/data.js';
import { HiddenSharding } from '../../coordinator/strategies/hidden.js';
import type { Position } from '../../coordinator/train.js';
import type { TrainingState } from '../../src/checkpoint.js';
import { normalise } from '../../src/config.js';
import type { Node } from '../../src/protocol/node.js';
import { strategyOf } from '../../src/strategy.js';
import { createLocalNode } from '../../worker/node.js';
import { FASTEST_BF16 as precision } from '../bf16.js';
import { sameBits } from '../bits.js';
import { oneThreadNode } from '../contract/one-thread-node.js';
import { type Problem, trainInOneThread } from './oracle.js';
import { type Setting, SHARDS, settingOf } from './problems.js';
import { contentOf, listener, plans, trained } from './training.js';

function clusterOf(node: Node, { shape: { unlabelled } }: Problem, strategy: 'data' | 'auto'): Cluster {
  const strategies = { data: new DataParallel(node, SHARDS), hidden: new HiddenSharding(node, SHARDS, unlabelled) };
  const counts = { unlabelled, validation: 0, test: 0 };
  return new Cluster(node, SHARDS, counts, (model) => strategies[strategyOf(normalise({ strategy }), model)]);
}

/** Of both objectives and both optimizers, and several stages; which labels count is nothing to bf16. */
const OTHERS: readonly string[] = [
  'fresh labels above a threshold, balanced',
  'labels refreshed every third step, above a threshold',
  'labels once, after supervised training',
];
const cases = plans.filter(({ name }) => !OTHERS.includes(name));

describe.each(cases)(`training in ${precision} with $name`, ({ stages }) => {
  const rounded = stages.map((stage) => ({ ...stage, model: { ...stage.model, precision } }));
  const oneThread = ({ problem }: Setting, strategy: 'data' | 'auto') =>
    clusterOf(oneThreadNode(contentOf(problem)), problem, strategy);

  it.each(['data', 'auto'] as const)(
    'ends on the bits of one thread with two that lose one in each step: %s',
    async (strategy) => {
      const { problem, training } = await settingOf(rounded, 2);
      const expected =
        strategy === 'data'
          ? trainInOneThread(problem)
          : await trained(training, oneThread(await settingOf(rounded, 1), strategy));
      expect(expected.every(Number.isFinite)).toBe(true);
      const node = await createLocalNode(contentOf(problem));
      try {
        const lossy = new FaultyNode(node, new Set([0, 1, 2, 3, 4, 5, 6]));
        expect(sameBits(await trained(training, clusterOf(lossy, problem, strategy)), expected)).toBe(true);
        expect(node.health().lostWorkers).toBeGreaterThan(0);
      } finally {
        await node.close();
      }
    },
  );

  it.each(['data', 'auto'] as const)('resumed before any of its steps ends on the same bits: %s', async (strategy) => {
    const setting = await settingOf(rounded, 1);
    const cluster = oneThread(setting, strategy);
    const saved: { position: Position; state: TrainingState }[] = [];
    const before = async (position: Position) => {
      saved.push({ position, state: await cluster.read(rounded[position.stage]!.model) });
    };
    const expected = await trained(setting.training, cluster, listener({ before }));
    for (const { position, state } of saved) {
      const another = oneThread(setting, strategy);
      another.write(state);
      const found = await trained(setting.training, another, listener(), position);
      expect(sameBits(found, expected), JSON.stringify(position)).toBe(true);
    }
  });
});
