// Tests what a run says and keeps if labels or test images are missing: nothing is judged by unknown labels.
import { describe, expect, it } from 'vitest';
import { Gauges } from '../../coordinator/dashboard/gauges.js';
import { TrueLabels } from '../../coordinator/runs/diagnostics.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { dataLines, sessionLine, stagesLine } from '../../coordinator/terminal/summary.js';
import { type Dataset, datasetOf, UNKNOWN } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { splitLabelled } from '../../src/data/split.js';
import { valuesOf } from '../../src/reporting/tensorboard-file.js';
import { normalise, type RunConfig } from '../../src/training/config.js';

interface Given {
  readonly train: readonly number[];
  readonly test?: readonly number[] | undefined;
  readonly pixel?: (value: number) => number;
}

/** Makes images of one pixel, of the classes 3, 5 and 8. */
function setOf({ train, test, pixel = (value) => value }: Given): Dataset {
  const images = (labels: readonly number[]) => ({
    count: labels.length,
    images: ImageStore.from(
      Uint8Array.from(labels, (_, i) => pixel(i)),
      1,
    ),
    labels: Uint16Array.from(labels),
  });
  const size = { height: 1, width: 1, channels: 1 };
  return datasetOf({
    name: 'mine',
    ...size,
    classNames: ['3', '5', '8'],
    train: images(train),
    test: test && images(test),
  });
}

const ALL = { perClass: 'all', kind: 'first', splitSeed: 0, validation: 0 } as const;
const config = normalise({ hidden: 16, workers: 1, shards: 1 });
const labelsPerClassOf = (of: RunConfig, set: Dataset) => resolveRun(of, set).config.labelsPerClass;
const taskOf = (of: RunConfig, set: Dataset) => resolveRun(of, set).task;

describe('the labels that a run uses', () => {
  const known = [...Array(10).keys()].flatMap(() => [0, 1, 2]);
  const partly = [...known, UNKNOWN, UNKNOWN];

  it('are ten of each class where all are known, all where some are not, and what is asked for in either (case 3)', () => {
    expect(labelsPerClassOf(config, setOf({ train: known }))).toBe(10);
    expect(labelsPerClassOf(config, setOf({ train: partly }))).toBe('all');
    const two = normalise({ ...config, labelsPerClass: 2 });
    expect(labelsPerClassOf(two, setOf({ train: known }))).toBe(2);
    expect(() => labelsPerClassOf(two, setOf({ train: partly }))).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', message: expect.stringContaining('2 of the 32 images of mine') }),
    );
    expect(labelsPerClassOf(normalise({ ...config, labelsPerClass: 'all' }), setOf({ train: known }))).toBe('all');
    expect(labelsPerClassOf(normalise({ ...config, labels: 'corrected.csv' }), setOf({ train: known }))).toBe('all');
    expect(taskOf({ ...config, validation: 4 }, setOf({ train: partly }))).toMatchObject({
      labelled: 26,
      unlabelled: 28,
    });
    expect(sessionLine(resolveRun(config, setOf({ train: partly })))).toContain(
      'mine: 32 images, 30 of them labelled (all labels that there are)',
    );
    expect(sessionLine(resolveRun(two, setOf({ train: known })))).toContain(
      '6 of them labelled (2 of each class; the other labels are hidden: a benchmark)',
    );
  });

  it('are all where each class has fewer than a benchmark keeps', () => {
    expect(labelsPerClassOf(config, setOf({ train: known.slice(0, 29) }))).toBe('all');
    expect(labelsPerClassOf(config, setOf({ train: [0, 1, 2] }))).toBe('all');
  });

  it('leave a share of them to validate, which is a number of images from then on (case 3)', () => {
    const fifth = normalise({ ...config, validation: 0.2 });
    const { config: resolved, split } = resolveRun(fifth, setOf({ train: partly }));
    expect(resolved.validation).toBe(6);
    expect([split.labelled.length, split.validation.length, split.unlabelled.length]).toEqual([24, 6, 26]);
    for (const validation of [-1, 1.5]) expect(() => normalise({ validation })).toThrow('validation: ');
  });

  it('are asked for by a number or by all', () => {
    for (const labelsPerClass of [0, 1.5, 'some'])
      expect(() => normalise({ labelsPerClass })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    expect(() => normalise({ labelsPerClass: 'some' })).toThrow('labelsPerClass: all, or a whole number from 1');
  });

  it('cannot be a random choice where all are used, and have to be of two classes (case 3)', () => {
    const random = normalise({ ...config, split: 'random' });
    expect(labelsPerClassOf(random, setOf({ train: known }))).toBe(10);
    expect(() => labelsPerClassOf(random, setOf({ train: partly }))).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining('leave out --split') }),
    );
    expect(() => taskOf(config, setOf({ train: [UNKNOWN, UNKNOWN] }))).toThrow(
      expect.objectContaining({ code: 'E_DATA_CLASSES' }),
    );
  });
});

describe('what is said of a data set', () => {
  const bright = (value: number) => 100 + value;

  it('is nothing where all is known', () => {
    expect(dataLines(setOf({ train: [0, 1, 2], test: [2, 1, 0], pixel: bright }))).toEqual([]);
  });

  it('names what nobody knows, and a class that no test image has (cases 3, 4 and 14)', () => {
    expect(dataLines(setOf({ train: [0, 1, UNKNOWN, 2], pixel: bright }))).toEqual([
      'nobody knows the labels of 1 of the 4 training images',
      'there are no test images with labels: no test accuracy is measured',
    ]);
    const [line, ...others] = dataLines(setOf({ train: [0, 1, 2], test: [0, 1], pixel: bright }));
    expect(line).toMatch(/^class 8 has training labels and no test image: .* write 255/);
    expect(others).toEqual([]);
  });

  it('names pixels that say nothing, as those from 0 to 1 that became bytes', () => {
    const labels = { train: [0, 1, 2], test: [0, 1, 2] };
    expect(dataLines(setOf({ ...labels, pixel: () => 0 }))).toEqual([expect.stringMatching(/all pixels .* are 0/)]);
    expect(dataLines(setOf({ ...labels, pixel: (value) => value % 2 }))).toEqual([
      expect.stringMatching(/no pixel .* above 1/),
    ]);
  });
});

describe('TrueLabels', () => {
  const labelling = (...classes: number[]) => ({
    classes: Uint16Array.from(classes),
    confidences: new Float32Array(classes.length).fill(0.5),
    flips: 0,
  });

  it('judges the pseudo-labels of images that have a label and are not labelled (case 3)', () => {
    const dataset = setOf({ train: [0, 1, 2, UNKNOWN, 1, 2] });
    const split = splitLabelled(dataset, { ...ALL, perClass: 1 });
    const { truth, perClass } = new TrueLabels(dataset, split).measure(labelling(0, 0, 0, 0, 1, 1));
    expect(truth).toEqual({ images: [0, 1, 1], right: [0, 1, 0] });
    expect(perClass).toEqual([4, 2, 0]);
  });

  it('judges none where all known labels are used (case 3)', () => {
    const dataset = setOf({ train: [0, 1, 2, UNKNOWN, UNKNOWN] });
    const { truth, perClass } = new TrueLabels(dataset, splitLabelled(dataset, ALL)).measure(labelling(0, 1, 2, 2, 2));
    expect(truth).toBeUndefined();
    expect(perClass).toEqual([1, 1, 3]);
  });
});

it('TensorBoard and Prometheus are told of classes by their names (case 4)', async () => {
  const counts = { perClass: [1, 2], flips: 0, meanConfidence: 0.5, confidences: [], truth: undefined };
  const metric = { kind: 'labels', stage: 'finetune', step: 0, ...counts } as const;
  const values = valuesOf({ ...metric, perClass: [1, 2], confidences: [] }, ['3', '8']);
  expect(values).toContainEqual({ tag: 'finetune/pseudo_labels_of_class/8', scalar: 2 });
  const gauges = new Gauges(() => 0);
  gauges.begins('mine', ['3', '8']);
  gauges.measured(metric);
  expect((await gauges.text()).text).toContain('pseudolabel_pseudo_labels{class="8"} 2');
});

it('A run of several stages says which, and how many steps each has', () => {
  const [first] = resolveRun(config, setOf({ train: [0, 1, 2, UNKNOWN] })).stages;
  const stage = (name: 'round-1' | 'round-2', steps: number) => ({ ...first!, name, steps });
  const two = [stage('round-1', 1200), stage('round-2', 800)];
  expect(stagesLine({ stages: two, maxSteps: 1000 })).toBe('2 stages, and their steps: round-1 1,000, round-2 800');
  expect(stagesLine({ stages: two.slice(1), maxSteps: Number.POSITIVE_INFINITY })).toBeUndefined();
});
