// Tests label propagation on threads: it is right on MNIST, and has the same bits for any number of workers, even if
// some are lost.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seedsOf } from '../../coordinator/classifier.js';
import { WrappedExecutor } from '../../coordinator/executors/wrapped-executor.js';
import { type Classified, Predictor } from '../../coordinator/predictor.js';
import { Propagator, type SearchListener, type SearchProgress, searchText } from '../../coordinator/propagation.js';
import { UNKNOWN } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { loadDataset } from '../../src/data/load.js';
import { splitLabelled } from '../../src/data/split.js';
import type { Descriptor } from '../../src/graph/settings.js';
import type { Propagation } from '../../src/methods/method.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { initialParameters, parameterCount, workspaceBytesOf } from '../../src/models/models.js';
import { PREDICT_ROWS } from '../../src/models/predict.js';
import { Stream } from '../../src/random.js';
import type { Executor } from '../../src/training/executor.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { firstImages, imagesOf, NO_IMAGES } from '../images.js';

const COUNT = 1500;
const SIZE = { height: 28, width: 28, channels: 1 };
const MODEL = modelOf([784, 32, 10], { inputDropout: 0, dropout: [0], objective: 'softmax' });
const dataset = await loadDataset();
const { labels } = dataset.train;
const { labelled } = splitLabelled(
  { ...dataset, train: { labels: labels.slice(0, COUNT) } },
  { perClass: 10, kind: 'first', splitSeed: 1, validation: 0 },
);
const SEEDS = { positions: labelled, labels: Uint16Array.from(labelled, (row) => labels[row]!) };

const settingsOf = (descriptors: readonly Descriptor[], more: Partial<Propagation> = {}): Propagation => ({
  descriptors,
  neighbours: 5,
  spread: { alpha: 0.99, iterations: 60 },
  shares: new Array<number>(10).fill(0.1),
  ...more,
});

async function propagate(
  workers: number,
  settings: Propagation,
  wrap: (node: ThreadExecutor) => Executor = (node) => node,
  ...told: [many: number, listener: SearchListener] | []
) {
  const node = await createThreadExecutor({
    shape: {
      pixels: 784,
      unlabelled: COUNT,
      evaluation: 0,
      shards: 1,
      workspaces: workers,
      parameterCount: parameterCount(MODEL),
      workspaceBytes: workspaceBytesOf(MODEL, PREDICT_ROWS, false),
    },
    images: { unlabelled: imagesOf(firstImages(dataset.train.images, COUNT)), evaluation: NO_IMAGES },
  });
  try {
    node.write({ parameters: initialParameters(MODEL, 1, 0) });
    const images = { set: 'unlabelled', count: COUNT, size: SIZE } as const;
    const [many, listener] = told;
    return await new Propagator(wrap(node), images, many).labels(MODEL, settings, SEEDS, listener);
  } finally {
    await node.close();
  }
}

/** Ends one thread while images are described, and one while neighbours are found. */
class Losing extends WrappedExecutor<ThreadExecutor> {
  lost = 0;

  override describe(...of: Parameters<Executor['describe']>) {
    return this.losing(0, 20, this.inner.describe(...of));
  }

  override neighbours(...of: Parameters<Executor['neighbours']>) {
    return this.losing(1, 5, this.inner.neighbours(...of));
  }

  private async losing<T>(index: number, after: number, work: Promise<T>): Promise<T> {
    const [result] = await Promise.all([work, sleep(after).then(() => this.inner.loseThread(index))]);
    this.lost = this.inner.health().lostWorkers;
    return result;
  }
}

const accuracy = (classes: Uint16Array): number =>
  classes.reduce((right, label, i) => right + Number(label === labels[i]), 0) / COUNT;

describe('label propagation', () => {
  it('labels digits by histograms of gradients, for any number of workers the same', async () => {
    const settings = settingsOf([{ kind: 'hog', components: 64 }]);
    const [one, three] = [await propagate(1, settings), await propagate(3, settings)];
    expect(accuracy(one.classes)).toBeGreaterThan(0.9);
    expect(three).toEqual(one);
    for (const [i, position] of SEEDS.positions.entries()) expect(one.classes[position]).toBe(SEEDS.labels[i]);
  });

  it('mixes in what a network says, and takes its features, for any number of workers the same', async () => {
    const settings = settingsOf(
      [
        { kind: 'features', components: 16 },
        { kind: 'hog', components: 64, weight: 1.4 },
        { kind: 'pixels', components: 32, weight: 0.5 },
      ],
      { mix: 0.5, smooth: { alpha: 0.8, iterations: 20 } },
    );
    const [one, two] = [await propagate(1, settings), await propagate(2, settings)];
    expect(accuracy(one.classes)).toBeGreaterThan(0.8);
    expect(two).toEqual(one);
  });

  it('has the same bits where a worker is lost on the way', async () => {
    const settings = settingsOf([{ kind: 'hog', components: 64 }]);
    const calm = await propagate(2, settings);
    let losing: Losing | undefined;
    const wrap = (node: ThreadExecutor) => {
      losing = new Losing(node);
      return losing;
    };
    expect(await propagate(2, settings, wrap)).toEqual(calm);
    expect(losing?.lost).toBeGreaterThan(0);
  });
});

/**
 * Makes images of 12 x 12 pixels with bars in noise: horizontal (class 0, three of four) or vertical (1), some nearly
 * diagonal.
 */
function bars(count: number) {
  const stream = new Stream(Uint32Array.of(5, 1, 2, 3));
  const bytes = new Uint8Array(144 * count);
  const truth = Uint16Array.from({ length: count }, (_, i) => Number(i % 4 === 3));
  for (let i = 0; i < count; i++) {
    const turn = (truth[i]! * Math.PI) / 2 + 0.55 * (stream.uniform() * 2 - 1) * 1.4;
    const [x, y] = [Math.cos(turn), Math.sin(turn)];
    for (let p = 0; p < 144; p++) {
      const distance = Math.abs((Math.floor(p / 12) - 5.5) * x - ((p % 12) - 5.5) * y);
      bytes[i * 144 + p] = Math.min(255, (distance < 1.5 ? 180 : 0) + stream.uniform() * 75);
    }
  }
  return { images: ImageStore.from(bytes, 144), truth, count };
}

describe('a search among very many images', () => {
  const settings = settingsOf([{ kind: 'pixels', components: 8 }]);
  const same = (node: ThreadExecutor) => node;

  it('says how long it will take when it has begun, and how far it is, and finds the same', async () => {
    const said: SearchProgress[] = [];
    const found = await propagate(1, settings, same, COUNT, (progress) => void said.push(progress));
    expect(found).toEqual(await propagate(1, settings));
    // There are six blocks and so six tasks. The first one runs alone.
    expect(said.map(({ images, done }) => [images, Math.round(6 * done)])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [COUNT, n]),
    );
    expect(said.every(({ secondsLeft }) => secondsLeft > 0)).toBe(true);
    expect(searchText({ images: 1_000_000, done: 0.001, secondsLeft: 1800 })).toMatch(
      /^finding neighbours among 1,000,000 images: 0 %, about 30m 00s left$/,
    );
  });

  it('can be ended on its way', async () => {
    const stop = () => Promise.reject(new Error('stopped'));
    await expect(propagate(1, settings, same, COUNT, stop)).rejects.toThrow('stopped');
  });
});

describe('label --propagate', () => {
  it('spreads known labels over the images of a saved model, which keep their own, the same for any number of workers', async () => {
    const saved = { model: MODEL, parameters: initialParameters(MODEL, 1, 0), meta: undefined };
    const known = labels.slice(0, COUNT).fill(UNKNOWN);
    for (const [i, position] of SEEDS.positions.entries()) known[position] = SEEDS.labels[i]!;
    const seeds = seedsOf(known, dataset.classNames, dataset.classNames);
    expect(seeds).toEqual(SEEDS);
    const found = [];
    for (const workers of [1, 2]) {
      const predictor = await Predictor.open(saved, firstImages(dataset.train.images, COUNT), workers);
      found.push(await predictor.propagate(seeds, SIZE, undefined));
      await predictor.close();
    }
    const [one, two] = found as [Classified, Classified];
    expect(accuracy(one.classes)).toBeGreaterThan(0.8);
    expect(two).toEqual(one);
    for (const [i, position] of SEEDS.positions.entries()) {
      expect(one.classes[position]).toBe(SEEDS.labels[i]);
      expect(one.confidences[position]).toBe(1);
    }
    for (let image = 0; image < COUNT; image++) {
      expect(one.runnersUp.classes[image]).not.toBe(one.classes[image]);
      expect(one.runnersUp.confidences[image]).toBeLessThanOrEqual(one.confidences[image]!);
    }
  });

  it('holds the classes of images to shares that are told, where they overlap and a network prefers one of them', async () => {
    const { images, truth, count } = bars(600);
    const model = modelOf([144, 8, 2], { inputDropout: 0, dropout: [0], objective: 'softmax' });
    const parameters = initialParameters(model, 1, 0);
    parameters[layoutOf(model).places[1]!.bias + 1] = 6; // as if it had seen much of class 1
    const few = (label: number) =>
      Array.from(truth.keys())
        .filter((i) => truth[i] === label)
        .slice(0, 8);
    const positions = Uint32Array.from([...few(0), ...few(1)]); // as many of each class
    const seeds = { positions, labels: Uint16Array.from(positions, (i) => truth[i]!) };
    const predictor = await Predictor.open({ model, parameters, meta: undefined }, images, 2);
    const size = { height: 12, width: 12, channels: 1 };
    const found = async (shares: readonly number[] | undefined) =>
      (await predictor.propagate(seeds, size, shares)).classes;
    const [free, held] = [await found(undefined), await found([0.75, 0.25])];
    await predictor.close();
    const second = (classes: Uint16Array) => classes.reduce((sum, each) => sum + each, 0) / count;
    const right = (classes: Uint16Array) =>
      classes.reduce((sum, each, i) => sum + Number(each === truth[i]), 0) / count;
    expect(Math.abs(second(held) - 0.25)).toBeLessThan(0.06);
    expect(second(free)).toBeGreaterThan(0.35);
    expect(right(held)).toBeGreaterThan(right(free));
  });

  it('wants known labels, of classes that the model knows', () => {
    const unknown = new Uint16Array(4).fill(UNKNOWN);
    expect(() => seedsOf(unknown, ['a'], ['a'])).toThrow(expect.objectContaining({ code: 'E_DATA_CLASSES' }));
    expect(() => seedsOf(Uint16Array.of(0), ['b'], ['a'])).toThrow(expect.objectContaining({ code: 'E_MODEL' }));
    expect(seedsOf(Uint16Array.of(1, UNKNOWN, 0), ['x', 'y'], ['y', 'x'])).toEqual({
      positions: Uint32Array.of(0, 2),
      labels: Uint16Array.of(0, 1),
    });
  });
});
