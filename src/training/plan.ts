// Turns a config into the stages of its training.

import { AUGMENTATIONS } from '../data/augmentation.js';
import { PseudolabelError } from '../errors.js';
import { differencesOf } from '../json-differences.js';
import type { Balance } from '../methods/class-balance.js';
import { sharesRuleOf } from '../methods/class-balance-text.js';
import type { LabelPropagationSettings } from '../methods/label-propagation.js';
import { methodOf } from '../methods/methods.js';
import type { Refresh } from '../methods/pseudo-label.js';
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
    const shares = sharesRuleOf(stage.method);
    if (typeof shares === 'object' && shares.length !== classes) throw otherNumber(shares.length, classes);
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
  const scenario = method === 'supervised' ? 'drop' : config.scenario;
  const ofPreset = PRESET[config.preset](scenario, task, config.effort);
  const stages = method === undefined ? ofPreset : ofPreset.map((stage) => byMethod(stage, method));
  const augment = config.augment ?? augmentationFor(method, task.images);
  const shortened = config.quick ? stages.map((stage) => shorten(stage, QUICK_SHARE)) : stages;
  return shortened.map((stage) => withAugmentation(overridden(stage, config, task), augment));
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

function overridden(stage: Stage, config: RunConfig, task: PresetInput): Stage {
  const { method } = stage;
  const { refresh, threshold, classShares } = config;
  if (method.name === 'supervised' || method.name === 'denoising') return stage;
  if (method.name === 'label-propagation') return { ...stage, method: propagating(method, config, task) };
  if (method.name !== 'pseudo-label' && refresh !== undefined) throw withoutEffect('refresh', method.name);
  if (!('threshold' in method) && threshold !== undefined) throw withoutEffect('threshold', method.name);
  const { balance: preset, ...others } = method;
  const when =
    method.name !== 'pseudo-label'
      ? 'step'
      : refresh === undefined
        ? method.refresh
        : refreshOf(refresh, method.batch, task.unlabelled);
  const balance = balanceOf(preset, classShares, when, task);
  const changed = {
    ...others,
    ...(method.name === 'pseudo-label' && { refresh: when }),
    ...(threshold !== undefined && { threshold }),
    ...(balance && { balance }),
  };
  return { ...stage, method: changed as Stage['method'] };
}

/** Applies the options to label propagation, which holds labels to shares without a survey. */
function propagating(
  method: LabelPropagationSettings,
  { refresh, threshold, classShares }: RunConfig,
  { unlabelled, classes }: PresetInput,
): LabelPropagationSettings {
  if (threshold !== undefined) throw withoutEffect('threshold', method.name);
  if (refresh === 'step' || classShares === 'auto' || classShares === 'estimate')
    throw withoutEffect(refresh === 'step' ? 'refresh' : 'classShares', method.name);
  if (typeof classShares === 'object' && classShares.length !== classes) throw otherNumber(classShares.length, classes);
  return {
    ...method,
    ...(refresh !== undefined && { refresh: refreshOf(refresh, method.batch, unlabelled) as 'once' | number }),
    ...(classShares !== undefined && { balance: classShares }),
  };
}

const withoutEffect = (option: string, method: string): PseudolabelError =>
  new PseudolabelError(
    'E_CONFIG',
    `${option}: has no such effect on the method ${method}`,
    'leave it out, or change the numbers that the method has, by --set (`pseudolabel preset` prints them)',
  );

/** Augments all rows of a stage that trains a classifier. */
function withAugmentation(stage: Stage, name: RunConfig['augment']): Stage {
  if (name === undefined || stage.model.objective === 'reconstruction') return stage;
  const { augment: _, ...unchanged } = stage;
  if (name === 'none') return unchanged;
  return { ...stage, augment: { labelled: AUGMENTATIONS[name], unlabelled: AUGMENTATIONS[name] } };
}

/** The momentum is that of the preset best. */
const MOMENTUM = 0.99;

function balanceOf(
  preset: Balance | undefined,
  classShares: RunConfig['classShares'],
  when: Refresh,
  { classes }: PresetInput,
): Balance | undefined {
  if (classShares === undefined) return when === 'step' ? preset : undefined;
  if (classShares === 'off') return undefined;
  if (when !== 'step') throw onlyFreshOnes(when);
  if (typeof classShares === 'object' && classShares.length !== classes) throw otherNumber(classShares.length, classes);
  return { momentum: preset?.momentum ?? MOMENTUM, shares: classShares };
}

function onlyFreshOnes(when: Refresh): PseudolabelError {
  const what = typeof when === 'number' ? `every ${when} steps` : when;
  return new PseudolabelError(
    'E_CONFIG',
    `classShares: pseudo-labels refreshed ${what} are not held to shares of the classes`,
    'leave --class-shares out, or add --refresh step',
  );
}

function otherNumber(given: number, classes: number): PseudolabelError {
  return new PseudolabelError(
    'E_CONFIG',
    `classShares: ${given} shares for ${classes} classes`,
    'give a share of each class, in the order of their names: --class-shares 0.6,0.3,0.1',
  );
}

/** Turns 'epoch' into the steps of a pass over the unlabelled images. */
function refreshOf(refresh: NonNullable<RunConfig['refresh']>, batch: number, unlabelled: number): Refresh {
  return refresh === 'epoch' ? Math.ceil(unlabelled / batch) : refresh;
}
