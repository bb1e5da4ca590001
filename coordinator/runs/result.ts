// Defines the files of a run: the lines of metrics.jsonl, data.json, machine.json and result.json.
import type { ImageSize } from '../../src/data/augmentation.js';
import type { SharesChoice } from '../../src/methods/class-balance.js';
import type { Ramp } from '../../src/training/alpha-ramp.js';
import type { RunConfig } from '../../src/training/config.js';
import type { Stage } from '../../src/training/stage.js';
import type { StepOutcome } from '../strategies/strategy.js';
import type { Job } from './resolved-run.js';

export type Phase = Stage['name'] | 'labelling' | 'evaluation';

/** One line of metrics.jsonl. */
export type Metric =
  | ({
      readonly kind: 'step';
      readonly stage: Stage['name'];
      readonly step: number;
      readonly alpha: number;
    } & Omit<StepOutcome, 'statistics'>)
  | {
      /** The pseudo-labels of all unlabelled images, or of a sample if they are predicted at each step. */
      readonly kind: 'labels';
      readonly stage: Stage['name'];
      readonly step: number;
      readonly perClass: readonly number[];
      readonly flips: number;
      readonly meanConfidence: number;
      /** A histogram of confidences from 0 to 1, in 20 bins. */
      readonly confidences: readonly number[];
      /**
       * The number of images of each true class, and how many of them have the right pseudo-label. Counts the images
       * whose label the data set has, without the labelled ones; undefined if there are none. Training never reads
       * this.
       */
      readonly truth: { readonly images: readonly number[]; readonly right: readonly number[] } | undefined;
    }
  /** The shares of classes that pseudo-labels are held to, from the first step that uses them. */
  | ({ readonly kind: 'shares'; readonly stage: Stage['name']; readonly step: number } & SharesChoice)
  | { readonly kind: 'validation'; readonly stage: Stage['name']; readonly step: number; readonly accuracy: number }
  /** How the networks of an ensemble classify some unlabelled images when a stage ends. */
  | ({ readonly kind: 'members'; readonly stage: Stage['name']; readonly step: number } & MembersMeasure);

export interface MembersMeasure {
  readonly images: number;
  /** The share of the images that all networks put into the same class. */
  readonly agreement: number;
  /**
   * The shares of right predictions, among the images whose label the data set has and the run does not use; undefined
   * if there are none.
   */
  readonly right?: { readonly each: readonly number[]; readonly together: number } | undefined;
}

/** data.json: what a run learns from. */
export interface RunData {
  readonly name: string;
  readonly sha256: string;
  readonly classNames: readonly string[];
  /** The size of an image. Older runs do not have it. */
  readonly size?: ImageSize | undefined;
  /** Numbers of images. */
  readonly images: {
    readonly train: number;
    /** Training images with a known label, whether the run uses it or not. */
    readonly known: number;
    /** Images whose labels the run uses. */
    readonly labelled: number;
    readonly validation: number;
    readonly test: number;
  };
}

/** machine.json: what computed a run. */
export interface Machine {
  readonly pseudolabel: string;
  readonly node: string;
  /** Is there only if the network needs it, like `tensorflow`. Other runs load neither. */
  readonly tfjsNode?: string;
  readonly tensorflow?: string;
  /** For example 'linux-x64'. */
  readonly platform: string;
  readonly processor: string;
  /**
   * The fingerprint of what the machine computes. Runs on two machines with the same fingerprint have the same bits.
   */
  readonly numerics: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** The time at which the run ended, in ISO 8601. */
  readonly ended: string;
}

/** result.json: the results of a run. */
export interface RunResult {
  readonly scenario: RunConfig['scenario'];
  readonly method?: RunConfig['method'];
  readonly preset: RunConfig['preset'];
  readonly seed: number;
  readonly split: RunConfig['split'];
  readonly splitSeed: number;
  readonly shards: number;
  readonly workers: number;
  /** The codec of sums between machines. Unless it is f32, the weights depend on which machine computed what. */
  readonly wire: RunConfig['wire'];
  readonly job?: Job | undefined;
  readonly lostWorkers: number;
  /** The ramp of the stage with pseudo-labels. */
  readonly ramp?: Ramp | undefined;
  /** The shares that pseudo-labels were held to; undefined if there were none. */
  readonly classShares?: SharesChoice | undefined;
  readonly steps: number;
  /** Seconds of training, without loading, saving and evaluation. */
  readonly seconds: number;
  readonly secondsByPhase: Readonly<Partial<Record<Phase, number>>>;
  /** Rows that went through a training step, divided by the seconds of training. */
  readonly imagesPerSecond: number;
  readonly validationAccuracy: number | undefined;
  readonly testAccuracy: number | undefined;
  /** confusion[label][predicted] on the test images. */
  readonly confusion: readonly (readonly number[])[] | undefined;
  /** The order of the classes in the model's outputs and in confusion. */
  readonly classNames: readonly string[];
  readonly weightsSha256: string;
}
