// The interface of a method: how a network learns from unlabelled images. Each method is one file of this folder and
// one row of methods.ts. It is written once, and works for any network, data set, strategy and number of workers.
import type { z } from 'zod';
import type { AugmentationName } from '../data/augmentation.js';
import type { GraphSettings } from '../graph/settings.js';
import type { SharesChoice } from './class-balance.js';
import type { DataNumbers, MethodOptions } from './user-options.js';

/**
 * The probabilities that are summed into the masses of the classes: the model's own (plain), or those after the shift
 * (shifted).
 */
export type Masses = 'plain' | 'shifted';

/** Says how a step uses the unlabelled images. */
export interface UnlabelledRows {
  /** The rows of the whole step. Each shard draws its part from its own images. */
  readonly batch: number;
  /** The factor of the mean loss over the batch: alpha(t) for pseudo-labels, 1 for a reconstruction. */
  readonly factor: number;
  /**
   * The name of the method that makes their targets (methods/methods.ts). `settings` has the numbers that the targets
   * depend on, such as a threshold.
   */
  readonly method: string;
  readonly settings: Readonly<Record<string, number | readonly number[]>>;
  /**
   * stored: the predictions that were last stored in the arena. fresh: predictions by the parameters of this step ("at
   * each weights update", Lee 2013). none: no predictions.
   */
  readonly pseudoLabels: 'none' | 'stored' | 'fresh';
  /**
   * The weights that make fresh predictions: their exponential average (stage.average). If left out, the weights
   * themselves.
   */
  readonly teacher?: 'average';
  /**
   * One number per class, added to the logits before a fresh pseudo-label is taken from them
   * (methods/class-balance.ts). undefined adds nothing.
   */
  readonly logitShift: Float32Array | undefined;
  /** If there is a shift, says which probabilities of each class are summed as well. */
  readonly masses: Masses;
  /** The standard deviation of the noise on the inputs. */
  readonly noise: number;
}

/** Says how the few labels are spread over all images. */
export interface Propagation extends GraphSettings {
  /**
   * The shares of the classes that labels are held to. predicted: the shares among the network's predictions, which are
   * mixed in. undefined: labels are held to none.
   */
  readonly shares: readonly number[] | 'predicted' | undefined;
}

/** What a method remembers from one step to the next, as named lists of numbers. A checkpoint keeps them. */
export type MethodState = Readonly<Record<string, readonly number[]>>;

/** What the model predicts for the unlabelled rows of a step, or of one shard of it, before it is trained on them. */
export interface Prediction {
  readonly rows: number;
  /**
   * The likeliest class of each row; `confidences` has its probability. Empty if the method asked for no pseudo-labels.
   */
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
  /** The probability of each class, summed over the rows as the step's `masses` says. Empty without a shift. */
  readonly classMasses: readonly number[];
  /** Returns softmax(logits / temperature), [classes, rows]. Only fresh predictions have it. */
  probabilities(temperature: number): Float32Array;
}

export interface Targets {
  /** One class per row, or probabilities [classes, rows]. undefined: the rows themselves, as they were before noise. */
  readonly targets: Uint16Array | Float32Array | undefined;
  /** The weight of each row, from 0 to 1. Rows of weight 0 do not count, but the mean is still over the whole batch. */
  readonly weights: ArrayLike<number>;
  /**
   * Numbers from 0 to 1, summed over the rows; every shard has the same number of them. They are added up in the order
   * of the shards and handed to next().
   */
  readonly statistics: readonly number[];
}

/**
 * A method of learning from unlabelled images. All functions are pure: what they return depends on their arguments
 * alone, so that a step that is repeated has the same bits. settings: the stage's, as JSON. step: counted from 0 within
 * the stage. labelCounts: the number of labelled images of each class.
 */
export interface Method<Settings extends { readonly name: string }> {
  /** The method's name in tables. */
  readonly title: string;
  /** Reads the settings from JSON. */
  readonly settings: z.ZodType<Settings>;
  /** Checks the settings of a step that comes from another machine. `state` checks the state in a checkpoint. */
  readonly stepSettings: z.ZodType<UnlabelledRows['settings']>;
  readonly state: z.ZodType<MethodState>;
  /** The settings of `train --method`, before a preset adapts the batch. */
  readonly defaults: Settings;
  /** Whether the method trains a reconstruction of its rows instead of a classifier. */
  readonly reconstructs: boolean;
  /** Whether the method trains a classifier on labels that it makes for unlabelled images. */
  readonly usesPseudoLabels: boolean;
  /**
   * How grey images are augmented if the user does not say how, because the method needs views that differ. If
   * undefined, they are not augmented.
   */
  readonly augmentation: AugmentationName | undefined;
  /** Whether the method predicts by the average of the weights, which its stage then has to keep. */
  readonly usesAverage: boolean;
  /** Returns the settings with a user's options. Throws E_CONFIG if an option has no effect on the method. */
  withOptions(settings: Settings, options: MethodOptions, data: DataNumbers): Settings;
  /** Returns the unlabelled rows of a step; 0 if the method uses none. */
  batch(settings: Settings): number;
  /** Returns whether the rows of a step are predicted by the parameters of that step. */
  predicts(settings: Settings): boolean;
  /** Returns the weight of the unlabelled loss: alpha(t) of Lee 2013, eq. 15. */
  alpha(settings: Settings, step: number): number;
  begin(settings: Settings, labelCounts: readonly number[]): MethodState;
  /** Returns whether all unlabelled images are labelled before a step, and their pseudo-labels stored. */
  isRelabelling(settings: Settings, step: number): boolean;
  /**
   * Returns how those labels are found: by a graph over all images (graph/), or, if undefined, by the model's
   * predictions.
   */
  propagation(settings: Settings, labelCounts: readonly number[]): Propagation | undefined;
  /** Returns the state after all images were labelled. weights: the confidence of each image. */
  relabelled(settings: Settings, state: MethodState, weights: Float32Array): MethodState;
  /**
   * Runs before a step. Returns the shares of the classes to tell the user, and the state after that; or undefined if
   * there is nothing to tell.
   */
  choose(
    settings: Settings,
    step: number,
    state: MethodState,
    labelCounts: readonly number[],
  ): { readonly choice: SharesChoice; readonly state: MethodState } | undefined;
  /** Returns the unlabelled rows of a step; undefined if it has none. */
  rows(
    settings: Settings,
    step: number,
    state: MethodState,
    labelCounts: readonly number[],
  ): UnlabelledRows | undefined;
  /** Returns the number of statistics that targets() returns for a model of `classes` classes. */
  statistics(rows: UnlabelledRows, classes: number): number;
  /**
   * Makes the targets of unlabelled rows. It runs where the labels are: on a worker (data parallel) or at the
   * coordinator (tensor parallel).
   */
  targets(rows: UnlabelledRows, prediction: Prediction): Targets;
  /** Returns the state after a step. statistics: those of the whole step. */
  next(settings: Settings, step: number, state: MethodState, statistics: readonly number[]): MethodState;
  /** Returns the same settings for a stage of `share` times as many steps. */
  shortened(settings: Settings, share: number): Settings;
}
