// What a method of learning from unlabelled images is. Each method is one file of this folder and one row of methods.ts. It is written once, and
// works for any network, data set, strategy and number of workers.
import type { z } from 'zod';
import type { GraphSettings } from '../graph/settings.js';
import type { SharesChoice } from './class-balance.js';

/** Of which probabilities the masses of the classes are sums: the model's own, or those after the shift. */
export type Masses = 'plain' | 'shifted';

/** How a step uses the unlabelled images. */
export interface UnlabelledRows {
  /** Rows of the whole step; each shard takes its part from its own images. */
  readonly batch: number;
  /** The factor of the mean over the batch: alpha(t) for pseudo-labels, 1 for a reconstruction. */
  readonly factor: number;
  /** The method that makes targets of them (methods/methods.ts), and the numbers that those depend on, such as a threshold. */
  readonly method: string;
  readonly parameters: Readonly<Record<string, number | readonly number[]>>;
  /** Predictions as last stored in the arena, or by the parameters as they are now ("at each weights update", Lee 2013); or none. */
  readonly pseudoLabels: 'none' | 'stored' | 'fresh';
  /** Whose weights predict fresh ones: the exponential average (stage.average); left out: the weights as they are. */
  readonly teacher?: 'average';
  /** Added to the logits before a fresh pseudo-label is taken from them: one a class (methods/class-balance.ts). undefined: none. */
  readonly logitShift: Float32Array | undefined;
  /** Where there is a shift: what is summed for each class, beside that. */
  readonly masses: Masses;
  /** Standard deviation of the noise on the inputs. */
  readonly noise: number;
}

/** How the few labels are spread over all images. */
export interface Propagation extends GraphSettings {
  /** Of the classes, to which labels are held; predicted: those among the network's predictions, which are mixed in; undefined: to none. */
  readonly shares: readonly number[] | 'predicted' | undefined;
}

/** What a method remembers from one step to the next: named lists of numbers. A checkpoint keeps them. */
export type MethodState = Readonly<Record<string, readonly number[]>>;

/** What the model says of the unlabelled rows of a step, or of one shard of it, before it is trained on them. */
export interface Prediction {
  readonly rows: number;
  /** Of each row: the class, and its probability. Empty where the method asked for no pseudo-labels. */
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
  /** Sums over the rows of each class's probability, as `masses` of the step says; empty without a shift. */
  readonly classMasses: readonly number[];
  /** Softmax of logits / temperature, [classes, rows]. Fresh predictions only. */
  probabilities(temperature: number): Float32Array;
}

export interface Targets {
  /** A class a row, or probabilities [classes, rows]. undefined: the rows themselves, as they were before noise. */
  readonly targets: Uint16Array | Float32Array | undefined;
  /** Of each row, from 0 to 1. Rows of weight 0 do not count; the mean is still over the whole batch. */
  readonly weights: ArrayLike<number>;
  /** Sums over the rows of numbers from 0 to 1: as many for every shard. They are added up in the order of the shards, and handed to next(). */
  readonly statistics: readonly number[];
}

/**
 * All functions are pure: what they return depends on their arguments alone, so that a step done again has the same bits.
 * settings: those of the stage, its JSON. step: from 0, in the stage. labelCounts: labelled images of each class.
 */
export interface Method<Settings extends { readonly name: string }> {
  /** Reads the settings from JSON. */
  readonly settings: z.ZodType<Settings>;
  /** Checks the parameters of a step that comes from another machine, and the state in a checkpoint. */
  readonly parameters: z.ZodType<UnlabelledRows['parameters']>;
  readonly state: z.ZodType<MethodState>;
  /** What `train --method` takes, before a preset adapts the batch. */
  readonly defaults: Settings;
  /** It trains a reconstruction of its rows, and no classifier. */
  readonly reconstructs: boolean;
  /** Images are changed where nobody says how: the method is made for views of them that differ. */
  readonly augments: boolean;
  /** It predicts by the average of the weights, which its stage has to keep. */
  readonly usesAverage: boolean;
  /** Unlabelled rows of a step; 0: the method uses none. */
  batch(settings: Settings): number;
  /** Whether the rows of a step are predicted by the parameters as they are then. */
  predicts(settings: Settings): boolean;
  /** The weight of the unlabelled loss: alpha(t) of Lee 2013, eq. 15. */
  alpha(settings: Settings, step: number): number;
  begin(settings: Settings, labelCounts: readonly number[]): MethodState;
  /** Whether all unlabelled images are labelled before a step, and their pseudo-labels stored. */
  isRelabelling(settings: Settings, step: number): boolean;
  /** How those labels come about: by a graph over all images (graph/), or, where it is undefined, as the model predicts them. */
  propagation(settings: Settings, labelCounts: readonly number[]): Propagation | undefined;
  /** The state after all images were labelled. weights: of each, its confidence. */
  relabelled(settings: Settings, state: MethodState, weights: Float32Array): MethodState;
  /** Before a step: what people should be told of the shares of the classes, and the state after it; undefined: nothing. */
  choose(
    settings: Settings,
    step: number,
    state: MethodState,
    labelCounts: readonly number[],
  ): { readonly choice: SharesChoice; readonly state: MethodState } | undefined;
  /** The unlabelled rows of a step; undefined: none. */
  rows(
    settings: Settings,
    step: number,
    state: MethodState,
    labelCounts: readonly number[],
  ): UnlabelledRows | undefined;
  /** How many statistics targets() returns for rows of a model of so many classes. */
  statistics(rows: UnlabelledRows, classes: number): number;
  /** What unlabelled rows are trained towards. Runs where the labels are: on a worker (data parallel) or at the coordinator (tensor parallel). */
  targets(rows: UnlabelledRows, prediction: Prediction): Targets;
  /** statistics: of the whole step. */
  next(settings: Settings, step: number, state: MethodState, statistics: readonly number[]): MethodState;
  /** The same settings for a stage of `share` times as many steps. */
  shortened(settings: Settings, share: number): Settings;
}
