// The shapes of what a run leaves behind: the lines of metrics.jsonl, data.json, machine.json and result.json.
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
      /** Of all unlabelled images; where they are predicted at each step, of a sample. */
      readonly kind: 'labels';
      readonly stage: Stage['name'];
      readonly step: number;
      readonly perClass: readonly number[];
      readonly flips: number;
      readonly meanConfidence: number;
      /** A histogram of confidences from 0 to 1, in 20 bins. */
      readonly confidences: readonly number[];
      /**
       * Images of each true class, and how many of them have the right pseudo-label, without the labelled ones: of
       * images whose label the data set has; undefined where it has none. Training never reads this.
       */
      readonly truth: { readonly images: readonly number[]; readonly right: readonly number[] } | undefined;
    }
  /** The shares of classes that pseudo-labels are held to, from the first step that uses them. */
  | ({ readonly kind: 'shares'; readonly stage: Stage['name']; readonly step: number } & SharesChoice)
  | { readonly kind: 'validation'; readonly stage: Stage['name']; readonly step: number; readonly accuracy: number }
  /** What the networks of an ensemble say of some unlabelled images when a stage ends. */
  | ({ readonly kind: 'members'; readonly stage: Stage['name']; readonly step: number } & MembersMeasure);

export interface MembersMeasure {
  readonly images: number;
  /** Share of the images of which all networks say the same class. */
  readonly agreement: number;
  /** Shares that are right, of the images whose label the data set has and the run does not use; undefined where there are none. */
  readonly right?: { readonly each: readonly number[]; readonly together: number } | undefined;
}

/** data.json: what a run learns from. */
export interface RunData {
  readonly name: string;
  readonly sha256: string;
  readonly classNames: readonly string[];
  /** Of an image. Runs of before do not say it. */
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
  /** Of runs whose network needs it, as is `tensorflow`: others load neither. */
  readonly tfjsNode?: string;
  readonly tensorflow?: string;
  /** As 'linux-x64'. */
  readonly platform: string;
  readonly processor: string;
  /** Fingerprint of what it computes: runs on two machines have the same bits where it is the same. */
  readonly numerics: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** When the run ended, ISO 8601. */
  readonly ended: string;
}

/** result.json: what a run came to. */
export interface RunResult {
  readonly scenario: RunConfig['scenario'];
  readonly method?: RunConfig['method'];
  readonly preset: RunConfig['preset'];
  readonly seed: number;
  readonly split: RunConfig['split'];
  readonly splitSeed: number;
  readonly shards: number;
  readonly workers: number;
  /** Of sums between machines; unless it is f32, the weights depend on which machine computed what. */
  readonly wire: RunConfig['wire'];
  readonly job?: Job | undefined;
  readonly lostWorkers: number;
  /** Of the stage with pseudo-labels. */
  readonly ramp?: Ramp | undefined;
  /** The shares that pseudo-labels were held to; undefined where there were none. */
  readonly classShares?: SharesChoice | undefined;
  readonly steps: number;
  /** Of training, without loading, saving and evaluation. */
  readonly seconds: number;
  readonly secondsByPhase: Readonly<Partial<Record<Phase, number>>>;
  /** Rows that went through a training step, by the seconds of training. */
  readonly imagesPerSecond: number;
  readonly validationAccuracy: number | undefined;
  readonly testAccuracy: number | undefined;
  /** confusion[label][predicted] on the test images. */
  readonly confusion: readonly (readonly number[])[] | undefined;
  /** The order of the classes: of the model's outputs and of confusion. */
  readonly classNames: readonly string[];
  readonly weightsSha256: string;
}
