// Makes what a run keeps for people to judge it by: how many of its pseudo-labels are right, its most confident
// mistakes, and reconstructions of its autoencoder. True labels that training may not use are read here, for reports
// only. Nothing here reaches a stage, a batch or a parameter.

import { type Dataset, type ImageSet, UNKNOWN } from '../../src/data/dataset.js';
import type { Split } from '../../src/data/split.js';
import type { LayersModel } from '../../src/models/layers/model.js';
import { memberClasses } from '../../src/models/member-classes.js';
import { denseOnly } from '../../src/models/models.js';
import { keyOf, Stream } from '../../src/random.js';
import { reconstruct } from '../../src/reporting/image.js';
import { classCounts, confidenceHistogram, rightOfClasses } from '../../src/reporting/metrics.js';
import type { Stage } from '../../src/training/stage.js';
import type { Labelling } from '../dispatcher.js';
import type { Predictions } from '../strategies/strategy.js';
import type { MembersMeasure, Metric } from './result.js';

/**
 * The number of unlabelled images that each network of an ensemble classifies on its own. They give the agreement to
 * about one point, in a tenth of a second of one core.
 */
const ASKED = 500;

type LabelMetric = Extract<Metric, { kind: 'labels' }>;

const CONFIDENCE_PARTS = 20;
const MISTAKES = 30;
/** As many as fit into a row of the report's figure. */
const RECONSTRUCTED = 10;

/** Images of one size. `pixels` are bytes, row by row, in base64. */
export interface Mistakes {
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  /** The most confident mistakes first. image: the position among the test images. */
  readonly images: readonly {
    readonly image: number;
    readonly label: number;
    readonly predicted: number;
    readonly confidence: number;
    readonly pixels: string;
  }[];
}

export interface Reconstructions {
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  /** The standard deviation of the noise. */
  readonly noise: number;
  readonly images: readonly { readonly original: string; readonly noisy: string; readonly reconstructed: string }[];
}

/** Holds the true labels of the unlabelled images, if the data set has them. */
export class TrueLabels {
  readonly #labels: Uint16Array;
  /** 0 for images without a known label, and for the labelled ones, whose labels the model has seen. */
  readonly #isJudged: Uint8Array;

  constructor(
    private readonly dataset: Dataset,
    { unlabelled, labelled }: Split,
  ) {
    const rows = new Set(labelled);
    this.#labels = Uint16Array.from(unlabelled, (row) => dataset.train.labels[row]!);
    this.#isJudged = Uint8Array.from(unlabelled, (row, i) => Number(!rows.has(row) && this.#labels[i] !== UNKNOWN));
  }

  /** Returns the true label of an unlabelled image, or undefined if it is not known or the model has seen it. */
  judged(position: number): number | undefined {
    return this.#isJudged[position] === 1 ? this.#labels[position] : undefined;
  }

  /**
   * Measures pseudo-labels. positions: those of their images among the unlabelled images; undefined for all of them.
   */
  measure(
    { classes, confidences, flips }: Labelling,
    positions?: Uint32Array,
  ): Omit<LabelMetric, 'kind' | 'stage' | 'step'> {
    const count = this.dataset.classes;
    const at = (i: number): number => positions?.[i] ?? i;
    const isJudged = (_: unknown, i: number): boolean => this.#isJudged[at(i)] === 1;
    const labels = Uint16Array.from(classes, (_, i) => this.#labels[at(i)]!).filter(isJudged);
    return {
      perClass: classCounts(classes, count),
      flips,
      meanConfidence: confidences.reduce((sum, each) => sum + each, 0) / confidences.length,
      confidences: confidenceHistogram(confidences, CONFIDENCE_PARTS),
      truth: labels.length === 0 ? undefined : rightOfClasses(classes.filter(isJudged), labels, count),
    };
  }
}

/**
 * Compares the predictions of the networks of an ensemble for some unlabelled images. parameters: those at the end of
 * the stage.
 */
export async function membersMeasure(
  model: LayersModel,
  parameters: Float32Array,
  dataset: Dataset,
  unlabelled: Uint32Array,
  trueLabels: TrueLabels,
): Promise<MembersMeasure> {
  const count = Math.min(ASKED, unlabelled.length);
  const positions = Array.from({ length: count }, (_, i) => Math.floor((i * unlabelled.length) / count));
  const asked = positions.map((position) => dataset.train.images.at(unlabelled[position]!));
  const { members, together } = await memberClasses(model, parameters, asked);
  const judged = [...positions.keys()].filter((i) => trueLabels.judged(positions[i]!) !== undefined);
  const right = (classes: Uint16Array): number =>
    judged.filter((i) => classes[i] === trueLabels.judged(positions[i]!)).length / judged.length;
  const agreeing = together.filter((_, i) => members.every((classes) => classes[i] === members[0]![i])).length;
  return {
    images: count,
    agreement: agreeing / count,
    right: judged.length === 0 ? undefined : { each: members.map(right), together: right(together) },
  };
}

/** Returns the wrong predictions for test images with the highest confidences. */
export function mistakesOf({ classes, confidences }: Predictions, dataset: Dataset, test: ImageSet): Mistakes {
  const { height, width, channels } = dataset;
  const wrong = Array.from(classes.keys()).filter((image) => classes[image] !== test.labels[image]);
  wrong.sort((a, b) => confidences[b]! - confidences[a]! || a - b);
  const images = wrong.slice(0, MISTAKES).map((image) => ({
    image,
    label: test.labels[image]!,
    predicted: classes[image]!,
    confidence: confidences[image]!,
    pixels: base64(test.images.at(image)),
  }));
  return { rows: height, columns: width, channels, images };
}

/**
 * Returns the first test images (or training images, if there are no test images), the same images with the stage's
 * noise, and their reconstructions.
 */
export function reconstructionsOf(
  { model, method }: Stage,
  parameters: Float32Array,
  { height, width, channels, train, test }: Dataset,
  seed: number,
): Reconstructions {
  const noise = 'noise' in method ? method.noise : 0;
  const stream = new Stream(keyOf(seed, 'noise')); // The key has no stage and no step, so no training draws from this stream.
  const shown = test ?? train;
  const images = Array.from({ length: Math.min(RECONSTRUCTED, shown.count) }, (_, image) => {
    const original = shown.images.at(image);
    const noisy = Float32Array.from(original, (byte) => clipped(byte / 255 + noise * stream.normal()));
    return {
      original: base64(original),
      noisy: bytesOf(noisy),
      reconstructed: bytesOf(reconstruct(denseOnly(model, 'reconstructed'), parameters, noisy)),
    };
  });
  return { rows: height, columns: width, channels, noise, images };
}

const clipped = (value: number): number => Math.min(1, Math.max(0, value));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytesOf = (values: Float32Array): string => base64(Uint8Array.from(values, (value) => Math.round(255 * value)));
