// Turns a config into the stages of its training.

import { AUGMENTATIONS } from '../data/augmentation.js';
import { PseudolabelError } from '../errors.js';
import { differencesOf } from '../json-differences.js';
import { sharesRuleOf } from '../methods/class-balance-text.js';
import { methodOf } from '../methods/methods.js';
import { checkShares, type DataNumbers, type MethodOptions } from '../methods/user-options.js';
import { inputsOf, outputsOf } from '../models/models.js';
import type { RunConfig } from './config.js';
import { PRESET } from './presets/presets.js';
import type { PresetInput } from './presets/shared.js';
import { augmentationFor, byMethod } from './presets/with-method.js';
import type { RateSchedule } from './schedule.js';
import { withSettings } from './settings.js';
import type { Stage } from './stage.js';

/** --quick keeps this share of every stage. The four rows of `best` then take well under a minute on two cores. */
const QUICK_SHARE = 1 / 6;

/**
 * Returns the stages of the config, which a run began with or the user wrote. Without those it returns the stages that
 * the preset and the options give.
 */
export function planOf(config: RunConfig, task: PresetInput): readonly Stage[] {
  const stages = withSettings(config.stages ?? presetPlan(config, task), config.set);
  if (config.stages || config.set) checkFit(stages, task);
  return stages;
}

/**
 * Lists where the stages in a config differ from those that its other options give now, such as 'finetune.rate.initial
 * is 0.001, 0.002 by the preset best'.
 */
export function changesOfPlan(config: RunConfig, task: PresetInput): string[] {
  const byName = (stages: readonly Stage[]) => Object.fromEntries(stages.map((stage) => [stage.name, stage]));
  if (!config.stages || config.preset === 'custom') return [];
  return differencesOf(byName(config.stages), byName(withSettings(presetPlan(config, task), config.set))).map(
    ({ at, was, is }) => `${at} is ${was}, ${is} by the preset ${config.preset}`,
  );
}

function checkFit(stages: readonly Stage[], { pixels, classes }: PresetInput): void {
  for (const stage of stages) {
    const { name, model } = stage;
    checkShares(sharesRuleOf(stage.method), classes);
    const [inputs, outputs] = [inputsOf(model), outputsOf(model)];
    const wanted = model.objective === 'reconstruction' ? pixels : classes;
    if (inputs === pixels && outputs === wanted) continue;
    throw new PseudolabelError(
      'E_CONFIG',
      `stages: ${name} trains a network from ${inputs} to ${outputs}, where the data set needs one from ${pixels} to ${wanted}`,
      'give the data set that the stages were made for, or leave out `stages` in the config',
    );
  }
}

function presetPlan(config: RunConfig, task: PresetInput): readonly Stage[] {
  if (config.preset === 'custom')
    throw new PseudolabelError('E_CONFIG', 'preset: custom has no stages of its own', 'give them: --stages FILE');
  const { method } = config;
  const isByLabelsAlone = method !== undefined && !methodOf({ name: method }).usesPseudoLabels;
  const scenario = isByLabelsAlone ? 'drop' : config.scenario;
  const ofPreset = PRESET[config.preset](scenario, task, config.effort);
  const stages = method === undefined ? ofPreset : ofPreset.map((stage) => byMethod(stage, method));
  const augment = config.augment ?? augmentationFor(method, task.images);
  const shortened = config.quick ? stages.map((stage) => shorten(stage, QUICK_SHARE)) : stages;
  return shortened.map((stage) => withAugmentation(withOptions(stage, config, task), augment));
}

/** Returns the same stage with fewer steps. All its schedules shrink with them. */
export function shorten(stage: Stage, share: number): Stage {
  const { method, optimizer } = stage;
  return {
    ...stage,
    steps: Math.max(1, Math.round(stage.steps * share)),
    rate: shortenRate(stage.rate, share),
    optimizer:
      optimizer.kind === 'dampened'
        ? { ...optimizer, momentum: { ...optimizer.momentum, over: optimizer.momentum.over * share } }
        : optimizer,
    method: methodOf(method).shortened(method, share),
  };
}

function shortenRate(rate: RateSchedule, share: number): RateSchedule {
  const { warmup } = rate;
  const whole = warmup === undefined ? rate : { ...rate, warmup: warmup * share };
  return whole.kind === 'decay' || whole.kind === 'step' ? { ...whole, every: whole.every * share } : whole;
}

const withOptions = (stage: Stage, options: MethodOptions, data: DataNumbers): Stage => ({
  ...stage,
  method: methodOf(stage.method).withOptions(stage.method, options, data),
});

/** Augments all rows of a stage that trains a classifier. */
function withAugmentation(stage: Stage, name: RunConfig['augment']): Stage {
  if (name === undefined || stage.model.objective === 'reconstruction') return stage;
  const { augment: _, ...unchanged } = stage;
  if (name === 'none') return unchanged;
  return { ...stage, augment: { labelled: AUGMENTATIONS[name], unlabelled: AUGMENTATIONS[name] } };
}
