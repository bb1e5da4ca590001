// The contract of a node (src/protocol/node.ts), to be run on every implementation. Its oracle is a node without threads.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TrainingState } from '../../src/checkpoint.js';
import { modelOf } from '../../src/engine/model.js';
import type { Node } from '../../src/protocol/node.js';
import { keyOf, Stream } from '../../src/random.js';
import type { NodeOptions } from '../../worker/node.js';
import { sameBits } from '../bits.js';
import {
  ADAM,
  EVALUATION,
  EVALUATION_IMAGES,
  FRESH,
  IMAGES,
  INITIAL,
  LENGTH,
  MODEL,
  RANGES,
  SHAPE,
  SHARDS,
  shardSteps,
  trainMixed,
  UNLABELLED,
} from './node-work.js';
import { oneThreadNode } from './one-thread-node.js';

export interface NodeUnderTest {
  readonly node: Node;
  /** Ends one of the node's workers as a crash would; undefined where it has none to lose. */
  readonly loseWorker: ((index: number) => Promise<void>) | undefined;
}

/** The content of the arena; the implementation chooses the lanes. */
export type Content = Omit<NodeOptions, 'shape'> & { readonly shape: Omit<NodeOptions['shape'], 'lanes'> };

export const CONTENT: Content = { shape: SHAPE, images: IMAGES, evaluationImages: EVALUATION_IMAGES };

function expectState(found: TrainingState, expected: TrainingState): void {
  for (const part of ['parameters', 'firstMoment', 'secondMoment', 'confidences'] as const) {
    expect(sameBits(found[part], expected[part]), part).toBe(true);
  }
  expect(found.pseudoLabels).toEqual(expected.pseudoLabels);
}

const untimed = <T extends { milliseconds: unknown }>(results: readonly T[]) =>
  results.map(({ milliseconds: _, ...result }) => result);

export function describeNode(name: string, create: (content: Content) => Promise<NodeUnderTest>): void {
  describe(name, () => {
    let node: Node;
    let loseWorker: NodeUnderTest['loseWorker'];
    const oracle = oneThreadNode({ ...CONTENT, shape: { ...SHAPE, lanes: 1 } });
    let expected: TrainingState;

    beforeAll(async () => {
      ({ node, loseWorker } = await create(CONTENT));
      expected = await trainMixed(oracle);
    });
    afterAll(() => node.close());
    beforeEach(() => {
      node.write(INITIAL);
      oracle.write(INITIAL);
    });

    it('trains to the same bits as one thread', async () => {
      expectState(await trainMixed(node), expected);
    });

    it('answers every shard of a step, in order, with what one thread would', async () => {
      const steps = shardSteps(1, FRESH).toReversed();
      const results = await node.gradients(steps);
      expect(untimed(results)).toEqual(untimed(await oracle.gradients(steps)));
      expect(results.map(({ rows }) => rows)).toEqual([26, 25, 25, 24]);
    });

    it('predicts each range of a set, and nothing else', async () => {
      const ranges = [[10, 300], [3, 4], [5, 5], [300, 590]] as const; // one of them longer than a batch
      for (const set of ['unlabelled', 'evaluation'] as const) {
        const within = ranges.map(([start, end]) =>
          set === 'unlabelled' ? ([start, end] as const) : ([start % EVALUATION, Math.min(end, EVALUATION)] as const),
        );
        const usable = within.filter(([start, end]) => start <= end);
        node.write({ pseudoLabels: new Uint8Array(UNLABELLED).fill(200) });
        const results = await node.predict(MODEL, set, usable);
        oracle.write({ pseudoLabels: new Uint8Array(UNLABELLED).fill(200) });
        expect(untimed(results)).toEqual(untimed(await oracle.predict(MODEL, set, usable)));
        expect(results.map(({ classes }) => classes.length)).toEqual(usable.map(([start, end]) => end - start));
        expect(node.read(LENGTH).pseudoLabels).toEqual(oracle.read(LENGTH).pseudoLabels);
      }
    });

    it('stores the labels of unlabelled images, counts those that changed, and leaves them for other images', async () => {
      const labels = new Uint8Array(UNLABELLED).fill(200);
      node.write({ pseudoLabels: labels });
      await node.predict(MODEL, 'evaluation', [[0, EVALUATION]]);
      expect(node.read(LENGTH).pseudoLabels).toEqual(labels);

      const first = await node.predict(MODEL, 'unlabelled', RANGES);
      expect(first.map(({ flips }) => flips)).toEqual(RANGES.map(([start, end]) => end - start));
      const { pseudoLabels, confidences } = node.read(LENGTH);
      expect([...pseudoLabels]).toEqual(first.flatMap(({ classes }) => [...classes]));
      expect([...confidences]).toEqual(first.flatMap((result) => [...result.confidences]));

      node.write({ pseudoLabels: pseudoLabels.map((label, i) => (i < 7 ? label + 1 : label)) });
      const again = await node.predict(MODEL, 'unlabelled', RANGES);
      expect(again.map(({ flips }) => flips)).toEqual([7, 0, 0, 0]);
    });

    it('reads back what was written, as copies, and keeps what was not', () => {
      const stream = new Stream(keyOf(3, 'split', 7));
      const some = (length: number) => Float32Array.from({ length }, () => stream.uniform());
      const state: TrainingState = {
        parameters: some(LENGTH),
        firstMoment: some(LENGTH),
        secondMoment: some(LENGTH),
        pseudoLabels: Uint8Array.from({ length: UNLABELLED }, () => stream.below(10)),
        confidences: some(UNLABELLED),
      };
      node.write(state);
      expectState(node.read(LENGTH), state);
      node.read(LENGTH).parameters.fill(0);
      expectState(node.read(LENGTH), state);
      const start = some(LENGTH - 100);
      node.write({ secondMoment: start });
      const mixed = Float32Array.from(state.secondMoment);
      mixed.set(start);
      expectState(node.read(LENGTH), { ...state, secondMoment: mixed });
      expect(node.read(16).parameters).toEqual(state.parameters.subarray(0, 16));
    });

    it('rejects with what went wrong in a task, and goes on working', async () => {
      const tooLarge = modelOf([400, 10 ** 8, 10], { inputDropout: 0, dropout: [], objective: 'softmax' });
      const [step] = shardSteps(1, FRESH);
      await expect(node.gradients([{ ...step!, model: tooLarge }])).rejects.toThrow(/length|offset|range|bounds/i);
      expectState(await trainMixed(node), expected);
    });

    describe('that loses workers', () => {
      /** Loses a worker `milliseconds` from now, whatever it is doing then. */
      const loseAfter = async (milliseconds: number, index: number): Promise<void> => {
        await sleep(milliseconds);
        await loseWorker!(index);
      };

      it('counts the tasks that were lost, and does them again', async ({ skip }) => {
        if (!loseWorker) skip();
        const before = node.health().lostWorkers;
        const steps = shardSteps(2, FRESH);
        const working = node.gradients(steps);
        await loseWorker!(0);
        expect(untimed(await working)).toEqual(untimed(await oracle.gradients(steps)));
        expect(node.health().lostWorkers).toBe(before + 1);
      });

      it.each([1, 2, 3, 4])('at random moments still trains to the same bits (%i)', async (seed) => {
        if (!loseWorker) return;
        const stream = new Stream(keyOf(seed, 'split', 8));
        let training = true;
        const losses = (async () => {
          while (training) await loseAfter(1 + stream.below(60), stream.below(node.workers));
        })();
        const trained = trainMixed(node).finally(() => {
          training = false;
        });
        expectState(await trained, expected);
        await losses;
      });

      it.each(['gradients', 'update', 'predict'] as const)('in the middle of %s has the same result', async (phase) => {
        if (!loseWorker) return;
        const stream = new Stream(keyOf(9, 'split', 9));
        const before = node.health().lostWorkers;
        const work = async (on: Node) => {
          if (phase === 'gradients') return untimed(await on.gradients(shardSteps(3, FRESH)));
          if (phase === 'predict') return untimed(await on.predict(MODEL, 'unlabelled', RANGES));
          await on.update(MODEL, SHARDS, ADAM(1));
          return on.read(LENGTH).parameters;
        };
        for (const on of [node, oracle]) {
          await on.predict(MODEL, 'unlabelled', RANGES);
          await on.gradients(shardSteps(2, FRESH));
        }
        for (let loss = 0; loss < 5; loss++) {
          const lost = loseAfter(stream.below(3), stream.below(node.workers));
          const found = await work(node);
          await lost;
          expect(found).toEqual(await work(oracle));
        }
        expect(node.health().lostWorkers).toBeGreaterThanOrEqual(before);
      });
    });
  });

  describe(`${name}, closed`, () => {
    it('while it works rejects what it was asked for, at once', async () => {
      const { node } = await create(CONTENT);
      node.write(INITIAL);
      const steps = Array.from({ length: 40 }, (_, step) => shardSteps(step, FRESH)).flat();
      const working = Promise.allSettled([node.gradients(steps), node.predict(MODEL, 'unlabelled', RANGES)]);
      const began = performance.now();
      await sleep(5);
      await node.close();
      for (const result of await working) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'E_INTERRUPTED' });
      }
      expect(performance.now() - began).toBeLessThan(5000);
    });
  });
}
