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
import { identityOfRun } from './identity.js';
import { FolderLock } from './lock.js';
import { changesOf, type ResolvedRun, validationCount } from './resolved-run.js';
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

/** Reads the config of a run. Throws E_CONFIG if it is not a config of this version. */
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

/** Reads what a run learns from. Returns undefined if the run has not begun, or if its file cannot be read. */
async function savedData(path: string): Promise<RunData | undefined> {
  return DATA.safeParse(await readJson(join(path, 'data.json')).catch(() => undefined)).data;
}

/**
 * Returns the options of a run that is resumed. A share of validation images becomes the number that it gave at the
 * start, because the run's config has that number.
 */
export async function withSavedValidation<T extends object>(given: T, path: string): Promise<T> {
  const { validation: share } = given as { readonly validation?: unknown };
  if (typeof share !== 'number' || share <= 0 || share >= 1) return given;
  const saved = await savedData(path);
  return saved ? { ...given, validation: validationCount(share, saved.images.known) } : given;
}

/** Throws E_CHECKPOINT_MISMATCH if the run in a directory learns from other images or labels than these. */
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

/** Returns the run that this path names. The path is a run directory, or one of its checkpoints. */
export async function locate(path: string): Promise<Earlier> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile ? { path: dirname(dirname(path)), checkpoint: path } : { path, checkpoint: undefined };
}

/**
 * Begins a run. Its config.json has everything that the run depends on, including its stages, so that it is still true
 * after a later change of a preset. Throws the errors of checkNew(), E_OUTPUT and E_LOCKED.
 */
export async function newRun(run: ResolvedRun, path: string): Promise<OpenedRun> {
  checkNew(run);
  const directory = await RunDirectory.create(path, { ...run.config, stages: run.stages });
  return { directory, resumeFrom: undefined };
}

/** Throws E_CONFIG if the stages in the config are not those that its other options give. */
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
 * Throws E_CHECKPOINT_MISMATCH if the run in this directory has other numbers than its preset has now. The runs of one
 * table must all be trained by the same numbers.
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
 * Resumes a run in its directory: at the given checkpoint, or else at the newest, or else at the beginning. Throws
 * E_LOCKED if a process works on it, E_CHECKPOINT_MISMATCH if the checkpoint is of another run, and E_NUMERICS if the
 * machine that computed it has other bits than this one.
 * @param numerics the fingerprint of this machine
 * @param checkpointFile undefined: the newest checkpoint
 * @param allowMixed never throws E_NUMERICS
 */
export async function earlierRun(
  run: ResolvedRun,
  numerics: string,
  path: string,
  checkpointFile: string | undefined,
  allowMixed: boolean,
): Promise<OpenedRun> {
  const lock = await FolderLock.take(path); // The lock comes first, so that nobody changes what is read after it.
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

/**
 * Returns whether a checkpoint has the state of its stage's method, and arrays of the lengths of the run's, to which
 * they are copied.
 */
function fits(
  { stage: s, methodState, lengths }: PromisedArrays,
  { stages, task: { unlabelled } }: ResolvedRun,
): boolean {
  const stage = stages[s];
  if (!stage || !methodOf(stage.method).state.safeParse(methodState).success) return false;
  const vector = parameterCount(stage.model);
  const expected = {
    parameters: vector,
    firstMoment: vector,
    secondMoment: vector,
    ...(stages.some(({ average }) => average !== undefined) && { average: vector }),
    pseudoLabels: unlabelled,
    confidences: unlabelled,
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
