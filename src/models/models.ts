// The table of model kinds, and the functions by which other code uses a model. A new kind is a folder beside this
// file, its type in model.ts and a row here.

import type { Arena } from '../engine/arena.js';
import { PseudolabelError } from '../errors.js';
import { dense } from './dense/dense.js';
import type { DenseModel } from './dense/model.js';
import type { ModelKind } from './kind.js';
import { layers } from './layers/layers.js';
import type { Model } from './model.js';

const KINDS: { readonly [K in Model['kind']]: ModelKind<Extract<Model, { kind: K }>> } = { dense, layers };

const kindOf = ({ kind }: Model): ModelKind<Model> => KINDS[kind];

export const inputsOf = (model: Model): number => kindOf(model).inputs(model);
export const outputsOf = (model: Model): number => kindOf(model).outputs(model);
export const parameterCount = (model: Model): number => kindOf(model).parameterCount(model);
/**
 * Returns the start of the statistics. From there on, a parameter is a moving average, which no optimizer, weight decay
 * or clipping changes.
 */
export const statisticsStart = (model: Model): number =>
  kindOf(model).statisticsStart?.(model) ?? parameterCount(model);
export const featureWidths = (model: Model): readonly number[] => kindOf(model).featureWidths(model);
export const firstLayerEnd = (model: Model): number => kindOf(model).firstLayerEnd(model);
export const initialParameters = (model: Model, seed: number, stage: number): Float32Array =>
  kindOf(model).initialise(model, seed, stage);
export const workspaceBytesOf = (model: Model, rows: number, training: boolean): number =>
  kindOf(model).workspaceBytes(model, rows, training);
/**
 * Returns whether TensorFlow computes the network. It then has to be prepared in each thread, and run once before there
 * are threads.
 */
export const needsTensorFlow = (model: Model): boolean => kindOf(model).needsTensorFlow?.(model) ?? false;
export const prepare = async (model: Model, arena: Arena): Promise<unknown> => kindOf(model).prepare?.(model, arena);
export const beforeThreads = async (model: Model): Promise<void> => {
  if (needsTensorFlow(model)) await kindOf(model).beforeThreads?.(model);
};
export const passesOf: ModelKind<Model>['passes'] = (model, ...of) => kindOf(model).passes(model, ...of);

/** Returns the model if it is dense, for code that takes only those. what: such as 'saved'. Throws E_MODEL. */
export function denseOnly(model: Model, what: string): DenseModel {
  if (model.kind === 'dense') return model;
  throw new PseudolabelError('E_MODEL', `a network of ${model.kind} cannot be ${what}`, 'use a dense network');
}

/**
 * Returns the number of terms that a row's loss is the mean of: the pixels of a reconstruction. A classifier sums over
 * its classes, so that it is 1.
 */
export const termsOf = (model: Model): number => (model.objective === 'reconstruction' ? outputsOf(model) : 1);
