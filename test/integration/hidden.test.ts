// Training by hidden units: the same bits for any number of workers and after any loss of one, and after any stop.
import { describe, expect, it } from 'vitest';
import { Cluster } from '../../coordinator/cluster.js';
import { FaultyNode } from '../../coordinator/faults.js';
import { DataParallel } from '../../coordinator/strategies/data.js';
import { HiddenSharding } from '../../coordinator/strategies/hidden.js';
import type { Position } from '../../coordinator/train.js';
import type { TrainingState } from '../../src/checkpoint.js';
import { normalise } from '../../src/config.js';
import type { Node } from '../../src/protocol/node.js';
import type { Stage } from '../../src/stage.js';
import { strategyOf } from '../../src/strategy.js';
import { createLocalNode, type LocalNode } from '../../worker/node.js';
import { sameBits } from '../bits.js';
import { oneThreadNode } from '../contract/one-thread-node.js';
import { type Problem, trainInOneThread } from './oracle.js';
import { PLANS, type Setting, SHARDS, settingOf } from './problems.js';
import { contentOf, listener, plans, trained } from './training.js';

function clusterOf(node: Node, { shape: { unlabelled }, unlabelled: images }: Problem): Cluster {
  const hidden = new HiddenSharding(node, SHARDS, unlabelled, images);
  const strategies = { data: new DataParallel(node, SHARDS), hidden };
  const counts = { unlabelled, validation: 0, test: 0 };
  return new Cluster(node, SHARDS, counts, (model) => strategies[strategyOf(normalise({ strategy: 'hidden' }), model)]);
}

const inOneThread = ({ problem }: Setting): Cluster => clusterOf(oneThreadNode(contentOf(problem)), problem);

async function trainedOn(threads: number, stages: readonly Stage[], disturb = (node: LocalNode): Node => node) {
  const { problem, training } = await settingOf(stages, threads);
  const node = await createLocalNode(contentOf(problem));
  try {
    return { parameters: await trained(training, clusterOf(disturb(node), problem)), ...node.health() };
  } finally {
    await node.close();
  }
}

describe.each(plans)('training by hidden units with $name', ({ stages }) => {
  it('ends on the same bits without threads, and with two of which one is lost in a pass of each step', async () => {
    const setting = await settingOf(stages, 1);
    const expected = await trained(setting.training, inOneThread(setting));
    expect(expected.every(Number.isFinite)).toBe(true);
    expect(sameBits(trainInOneThread(setting.problem), expected)).toBe(false);
    const steps = new Set(stages.flatMap(({ steps }) => Array.from({ length: steps }, (_, step) => step)));
    const { parameters, lostWorkers } = await trainedOn(2, stages, (node) => new FaultyNode(node, steps));
    expect(lostWorkers).toBeGreaterThan(0);
    expect(sameBits(parameters, expected)).toBe(true);
  });

  it('resumed before any of its steps ends on the same bits', async () => {
    const setting = await settingOf(stages, 1);
    const { training } = setting;
    const cluster = inOneThread(setting);
    const saved: { position: Position; state: TrainingState }[] = [];
    const before = async (position: Position) => {
      saved.push({ position, state: await cluster.read(stages[position.stage]!.model) });
    };
    const expected = await trained(training, cluster, listener({ before }));
    for (const { position, state } of saved) {
      const another = inOneThread(setting);
      another.write(state);
      const found = await trained(training, another, listener(), position);
      expect(sameBits(found, expected), JSON.stringify(position)).toBe(true);
    }
  });
});

describe('training by hidden units', () => {
  it.each(['fresh labels above a threshold, balanced', 'an autoencoder, its first layer, and fresh labels'] as const)(
    'ends on the same bits with one worker, two, or three: %s',
    async (plan) => {
      const stages = PLANS[plan];
      const runs = [];
      for (const threads of [1, 2, 3]) runs.push((await trainedOn(threads, stages)).parameters);
      expect(sameBits(runs[1]!, runs[0]!)).toBe(true);
      expect(sameBits(runs[2]!, runs[0]!)).toBe(true);
    },
  );
});

describe('the coordinator of training by hidden units', () => {
  it('gives no label away: neither true ones nor pseudo-labels', async () => {
    const { training, problem } = await settingOf(PLANS['fresh labels at each step'], 1);
    const node = oneThreadNode(contentOf(problem));
    const sent: object[] = [];
    const recording: Node = {
      ...node,
      forward: (step) => {
        sent.push(step);
        return node.forward(step);
      },
    };
    await trained(training, clusterOf(recording, problem));
    const allowed = [
      'model',
      'seed',
      'stage',
      'step',
      'shards',
      'labelledImages',
      'unlabelledBatch',
      'labelsFresh',
      'optimizer',
    ];
    expect(sent).toHaveLength(7);
    for (const step of sent) expect(Object.keys(step).sort()).toEqual(allowed.toSorted());
    expect((await node.read(16)).pseudoLabels.every((label) => label === 0)).toBe(true);
  });
});
