// Sets single numbers of a training by their paths, such as 'finetune.rate.initial'.
import { PseudolabelError } from '../errors.js';
import { edits } from '../spelling.js';
import type { Stage } from './stage.js';
import { placeInStages, STAGE_LIMITS, stagesSchema } from './stage-schema.js';

/** New values by path. A path is the name of a stage and the names within its JSON, joined by points. */
export type Settings = Readonly<Record<string, unknown>>;

type Json = Record<string, unknown>;

/**
 * Returns the stages with these settings. The path of a method's number may leave `method` out: finetune.threshold is
 * finetune.method.threshold.
 * Throws E_CONFIG for a path that does not exist, with those that are spelled alike, and for a value beyond its limits.
 */
export function withSettings(stages: readonly Stage[], settings: Settings = {}): readonly Stage[] {
  let changed = stages;
  for (const [path, value] of Object.entries(settings)) changed = withSetting(changed, path, value);
  if (changed === stages) return stages;
  const { success, data, error } = stagesSchema.safeParse(changed);
  if (success) return data;
  const problems = error.issues.map(({ path, message }) => `${placeInStages(stages, path)}: ${message}`);
  throw new PseudolabelError('E_CONFIG', `set: ${problems.join('; ')}`, STAGE_LIMITS);
}

function withSetting(stages: readonly Stage[], path: string, value: unknown): readonly Stage[] {
  const [name, first, ...others] = path.split('.');
  const stage = stages.find((each) => each.name === name);
  if (!stage || first === undefined) throw unknownPath(path, stages);
  const isStages = first in stage || IN_STAGES.has(first);
  const within = isStages ? [first, ...others] : ['method', first, ...others];
  const changed = replaced(stage, within, value);
  if (changed === undefined) throw unknownPath(path, stages);
  return stages.map((each) => (each === stage ? (changed as Stage) : each));
}

/** Returns a copy with another value at a path, or undefined if nothing is there and nothing may be. */
function replaced(container: unknown, [key, ...within]: readonly string[], value: unknown): unknown {
  if (typeof container !== 'object' || container === null || key === undefined) return undefined;
  const old = (container as Json)[key] ?? (VIEWS.has(key) ? {} : undefined);
  const isThere = Object.hasOwn(container, key);
  const next = within.length > 0 ? replaced(old, within, value) : isThere || OPTIONAL.has(key) ? value : undefined;
  if (next === undefined) return undefined;
  return Array.isArray(container) ? container.with(Number(key), next) : { ...container, [key]: next };
}

/** The members that a stage may leave out. */
const IN_STAGES: ReadonlySet<string> = new Set(['augment', 'clip']);

/** These consist of optional numbers only, so that one of the numbers may be set even if the whole is absent. */
const VIEWS: ReadonlySet<string> = new Set(['augment', 'labelled', 'unlabelled', 'weak']);

/** All names that a stage, or a part of one, may leave out. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'balance',
  ...['alpha', 'mix', 'smooth', 'weight', 'deskew'],
  'weightDecay',
  'momentum',
  'nesterov',
  'warmup',
  ...IN_STAGES,
  ...['labelled', 'unlabelled', 'weak', 'rotate', 'scale', 'shear', 'shift', 'elastic', 'crop', 'flip'],
  ...['temperature', 'brightness', 'contrast', 'saturation', 'hue', 'noise', 'cutout'],
]);

function unknownPath(path: string, stages: readonly Stage[]): PseudolabelError {
  const names = stages.map(({ name }) => name).join(' and ');
  return new PseudolabelError(
    'E_CONFIG',
    `set: there is no ${path} in the stages ${names}`,
    `did you mean ${alikeIn(stages, path).join(', or ')}? \`pseudolabel preset\` prints all of them`,
  );
}

/** Paths of kinds come last, because a kind is seldom what the user wants to set. */
const isKind = (path: string): boolean => path.endsWith('.kind');

/**
 * Returns up to three paths that the user may have meant: those that contain every part of the path, or else those that
 * are spelled alike.
 */
function alikeIn(stages: readonly Stage[], path: string): readonly string[] {
  const paths = [...new Set(pathsOf(stages))];
  const parts = path.split('.');
  const whole = paths.filter((each) => parts.every((part) => each.split('.').includes(part)));
  if (whole.length > 0) return whole.sort((a, b) => Number(isKind(a)) - Number(isKind(b))).slice(0, 3);
  const near = paths.map((each) => ({ each, far: edits(path, each) })).sort((a, b) => a.far - b.far);
  return near.flatMap(({ each, far }) => (far <= Math.max(3, near[0]!.far) ? [each] : [])).slice(0, 3);
}

/** Returns the path of every number and word of the stages. Those of a method leave `method` out. */
export function pathsOf(stages: readonly Stage[]): string[] {
  const leaves = (value: unknown, path: string): string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`))
      : [path];
  return stages.flatMap((stage) => leaves(stage, stage.name).map((path) => path.replace('.method.', '.')));
}
