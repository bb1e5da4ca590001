// Sets single numbers of a training by their paths, such as 'finetune.rate.initial'.
import { PseudolabelError } from '../errors.js';
import { edits } from '../spelling.js';
import type { Stage } from './stage.js';
import { partOf, pathsOf, replaced } from './stage-paths.js';
import { placeInStages, STAGE_LIMITS, stagesSchema } from './stage-schema.js';

/** New values by path. A path is the name of a stage and the names within its JSON, joined by points. */
export type Settings = Readonly<Record<string, unknown>>;

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
  const problems = error.issues.map((issue) => {
    const place = placeInStages(stages, issue.path);
    // A name of several numbers, such as that of the learning rate's schedule, was given one.
    if (issue.code === 'invalid_type' && issue.expected === 'object' && place in settings)
      return `${place} has several parts: ${alikeIn(stages, place).join(', ')}`;
    return `${place}: ${issue.message}`;
  });
  throw new PseudolabelError('E_CONFIG', `set: ${problems.join('; ')}`, STAGE_LIMITS);
}

function withSetting(stages: readonly Stage[], path: string, value: unknown): readonly Stage[] {
  const [name, ...within] = path.split('.');
  const stage = stages.find((each) => each.name === name);
  if (!stage) throw unknownPath(path, stages);
  const part = partOf(stage);
  const changed = replaced(part, within, value) ?? replaced(part, ['method', ...within], value);
  if (within.length === 0 || changed === undefined) throw unknownPath(path, stages);
  return stages.map((each) => (each === stage ? (changed as Stage) : each));
}

function unknownPath(path: string, stages: readonly Stage[]): PseudolabelError {
  const names = stages.map(({ name }) => name).join(' and ');
  return new PseudolabelError(
    'E_CONFIG',
    `set: there is no ${path} in the stages ${names}`,
    `did you mean ${alikeIn(stages, path).join(', or ')}? \`pseudolabel preset\` prints all of them`,
  );
}

/** What other libraries call a part of a path. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['lr', 'rate'],
  ['learning_rate', 'rate'],
  ['learningRate', 'rate'],
  ['learning-rate', 'rate'],
  ['batch_size', 'batch'],
  ['batchSize', 'batch'],
  ['max_steps', 'steps'],
  ['maxSteps', 'steps'],
]);

/** Paths of kinds come last, because a kind is seldom what the user wants to set. */
const isKind = (path: string): boolean => path.endsWith('.kind');

/**
 * Returns up to three paths that the user may have meant: those that contain every part of the path, or else those that
 * are spelled alike. Paths that exist in the stages come before those that a stage leaves out.
 */
function alikeIn(stages: readonly Stage[], path: string): readonly string[] {
  const found = stages.map(pathsOf);
  const paths = [...new Set([...found.flatMap(({ there }) => there), ...found.flatMap(({ absent }) => absent)])];
  const parts = path.split('.').map((part) => OTHER_NAMES.get(part) ?? part);
  const whole = paths.filter((each) => parts.every((part) => each.split('.').includes(part)));
  if (whole.length > 0) return whole.sort((a, b) => Number(isKind(a)) - Number(isKind(b))).slice(0, 3);
  const near = paths.map((each) => ({ each, far: edits(path, each) })).sort((a, b) => a.far - b.far);
  return near.flatMap(({ each, far }) => (far <= Math.max(3, near[0]!.far) ? [each] : [])).slice(0, 3);
}
