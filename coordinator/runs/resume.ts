// Opens a run directory: a new one, or one that holds the beginning of the same run.
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Checkpoint,
  latestCheckpoint,
  loadCheckpoint,
  type PromisedArrays,
} from '../../src/checkpoint/checkpoint.js';
import type { ImageSize } from '../../src/data/augmentation.js';
import { toldNames } from '../../src/data/classes.js';
import { type Dataset, knownCount } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { readJson } from '../../src/files/read.js';
import { methodOf } from '../../src/methods/methods.js';
import { parameterCount } from '../../src/models/models.js';
import { DATA } from '../../src/reporting/record.js';
import { normalise, type RunConfig } from '../../src/training/config.js';
import { FolderLock } from './lock.js';
import { changesOf, identityOfRun, type ResolvedRun, validationCount } from './resolved-run.js';
import type { RunData } from './result.js';
import { RunDirectory } from './run-directory.js';

export interface OpenedRun {
  readonly directory: RunDirectory;
  /** undefined: from the first step. */
  readonly resumeFrom: Checkpoint | undefined;
}

/** A run that was begun before. */
export interface Earlier {
  readonly path: string;
  /** undefined: its newest checkpoint. */
  readonly checkpoint: string | undefined;
}

/** Throws E_CONFIG where its config is none of this version. */
export async function savedConfig(path: string): Promise<RunConfig> {
  const saved = await RunDirectory.configOf(path);
  try {
    return normalise(saved);
  } catch (cause) {
    const fix = 'it was changed, or another version of pseudolabel wrote it: take it from a copy, or begin anew';
    const message = `${join(path, 'config.json')}: ${cause instanceof Error ? cause.message : cause}`;
    throw new PseudolabelError('E_CONFIG', message, fix, { cause });
  }
}

/** What it learns from; undefined where it has not begun, or its file cannot be read. */
async function savedData(path: string): Promise<RunData | undefined> {
  return DATA.safeParse(await readJson(join(path, 'data.json')).catch(() => undefined)).data;
}

/** Options for a run that goes on, with a share of validation images as the number that it came to: its config has that. */
export async function withSavedValidation<T extends object>(given: T, path: string): Promise<T> {
  const { validation: share } = given as { readonly validation?: unknown };
  if (typeof share !== 'number' || share <= 0 || share >= 1) return given;
  const saved = await savedData(path);
  return saved ? { ...given, validation: validationCount(share, saved.images.known) } : given;
}

/** Throws E_CHECKPOINT_MISMATCH where a run that was begun in a directory learns from other images or labels than these. */
export async function checkSameData(path: string, dataset: Dataset): Promise<void> {
  const was = await savedData(path);
  if (!was || was.sha256 === dataset.sha256) return;
  const { classNames, train, test } = dataset;
  const changes = [
    was.size && changeOf('images', sizeText(was.size), sizeText(dataset)),
    changeOf('training images', was.images.train, train.count),
    changeOf('labels', was.images.known, knownCount(train.labels)),
    changeOf('test images', was.images.test, test?.count ?? 0),
    changeOf('classes', toldNames(was.classNames), toldNames(classNames)),
  ].filter((change) => change !== undefined);
  throw new PseudolabelError(
    'E_CHECKPOINT_MISMATCH',
    `${path} was begun with other images or labels: ${changes.join('; ') || 'as many of both, but not the same'}`,
    'give the images, --labels and --size that it began with (its config.json names them), or start a new run in another folder',
  );
}

const sizeText = ({ height, width, channels }: ImageSize): string => `${height}x${width}x${channels}`;

const changeOf = (what: string, was: number | string, is: number | string): string | undefined =>
  was === is ? undefined : `${what}: ${was} then, ${is} now`;

/** A run directory, or one of its checkpoints. */
export async function locate(path: string): Promise<Earlier> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile ? { path: dirname(dirname(path)), checkpoint: path } : { path, checkpoint: undefined };
}

/** Its config.json says all that it depends on, so that a later change of a preset explains nothing away. Throws as checkNew(). */
export async function newRun(run: ResolvedRun, path: string): Promise<OpenedRun> {
  checkNew(run);
  const directory = await RunDirectory.create(path, { ...run.config, stages: run.stages });
  return { directory, resumeFrom: undefined };
}

/** Throws E_CONFIG where the stages in its config are not what its other options come to. */
export function checkNew(run: ResolvedRun): void {
  const changes = changesOf(run);
  if (changes.length === 0) return;
  throw new PseudolabelError(
    'E_CONFIG',
    `stages: ${changes.join('; ')}`,
    'leave `stages` out of the config to train by its other options, leave out what changes them, or make them your own: preset custom',
  );
}

/**
 * Several runs that make one table are trained by the same numbers, or not at all. Throws E_CHECKPOINT_MISMATCH where a
 * run that was begun in its directory has others than its preset has now.
 */
export async function checkPlan(run: ResolvedRun, path: string): Promise<void> {
  if (!RunDirectory.isAt(path)) return;
  const { stages } = normalise(await RunDirectory.configOf(path));
  const changes = changesOf(run, stages);
  if (changes.length === 0) return;
  throw new PseudolabelError(
    'E_CHECKPOINT_MISMATCH',
    `${path} was begun with other numbers: ${changes.join('; ')}`,
    'go on with the version of pseudolabel that began it, or start anew in another folder',
  );
}

/**
 * Resumes a run in its directory: at the checkpoint given, else at the newest, else at the beginning, where it has
 * none. Throws E_LOCKED where a process works on it, E_CHECKPOINT_MISMATCH where it is of another run, and E_NUMERICS
 * where what computed it has other bits than this machine.
 * @param numerics of this machine
 * @param checkpointFile undefined: the newest
 * @param allowMixed does without E_NUMERICS
 */
export async function earlierRun(
  run: ResolvedRun,
  numerics: string,
  path: string,
  checkpointFile: string | undefined,
  allowMixed: boolean,
): Promise<OpenedRun> {
  const lock = await FolderLock.take(path); // first: what is read from here on is nobody's to change
  try {
    const file = checkpointFile ?? (await latestCheckpoint(path));
    const resumeFrom =
      file === undefined ? undefined : await loadCheckpoint(file, identityOfRun(run), (arrays) => fits(arrays, run));
    if (resumeFrom && resumeFrom.numerics !== numerics && !allowMixed) throw otherNumerics(path);
    const stageNames = run.stages.map(({ name }) => name);
    const directory = await RunDirectory.reopen(path, stageNames, resumeFrom ?? { stage: 0, step: 0 }, lock);
    return { directory, resumeFrom };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Whether a checkpoint has the state of its stage's method, and arrays as long as those of the run, to which they are copied. */
function fits(
  { stage: s, methodState, lengths }: PromisedArrays,
  { stages, task: { unlabelled } }: ResolvedRun,
): boolean {
  const stage = stages[s];
  if (!stage || !methodOf(stage.method).state.safeParse(methodState).success) return false;
  const vector = parameterCount(stage.model);
  const expected = {
    ...{ parameters: vector, firstMoment: vector, secondMoment: vector },
    ...(stages.some(({ average }) => average !== undefined) && { average: vector }),
    ...{ pseudoLabels: unlabelled, confidences: unlabelled },
  };
  return Object.entries(expected).every(([name, length]) => lengths.get(name) === length);
}

function otherNumerics(path: string): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits here than where ${path} was begun: another type of processor, or another build of TensorFlow`,
    'go on where it was begun, or add --allow-mixed and do without exact repetition',
  );
}
