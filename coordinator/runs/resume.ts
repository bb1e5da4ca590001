// Owns the two ways into a run directory: a new one, or one that holds the beginning of the same run.
import {
  type Checkpoint,
  latestCheckpoint,
  loadCheckpoint,
  type PromisedArrays,
} from '../../src/checkpoint/checkpoint.js';
import type { Dataset } from '../../src/data/dataset.js';
import { PseudolabelError } from '../../src/errors.js';
import { layoutOf } from '../../src/models/model.js';
import { normalise, type RunConfig } from '../../src/training/config.js';
import { changesOfPlan, planOf } from '../../src/training/plan.js';
import type { Stage } from '../../src/training/stage.js';
import { labelsPerClassOf, type Session, splitOf, taskOf } from '../session.js';
import { identityFor } from './recorder.js';
import { RunDirectory } from './run-directory.js';

export interface OpenedRun {
  readonly directory: RunDirectory;
  /** undefined: from the first step. */
  readonly resumeFrom: Checkpoint | undefined;
}

/**
 * Its config.json says all that it depends on, so that a later change of a preset explains nothing away. Throws E_CONFIG where the stages in its
 * config are not what its other options come to.
 */
export async function newRun(
  { dataset }: Pick<Session, 'dataset'>,
  config: RunConfig,
  path: string,
): Promise<OpenedRun> {
  const task = taskOf(config, dataset);
  const changes = changesOfPlan(config, task);
  if (changes.length > 0)
    throw new PseudolabelError(
      'E_CONFIG',
      `stages: ${changes.join('; ')}`,
      'leave `stages` out of the config to train by its other options, or leave out what changes them',
    );
  const stages = planOf(config, task);
  const whole = { ...config, labelsPerClass: labelsPerClassOf(config, dataset), stages };
  return { directory: await RunDirectory.create(path, whole), resumeFrom: undefined };
}

/**
 * Several runs that make one table are trained by the same numbers, or not at all. Throws E_CHECKPOINT_MISMATCH where a run that was begun has
 * others than its preset has now.
 */
export async function checkPlans(
  runs: readonly { readonly config: RunConfig; readonly path: string }[],
  dataset: Dataset,
): Promise<void> {
  for (const { config, path } of runs.filter((run) => RunDirectory.isAt(run.path))) {
    const { stages } = normalise(await RunDirectory.configOf(path));
    const changes = changesOfPlan({ ...config, stages }, taskOf(config, dataset));
    if (changes.length === 0) continue;
    throw new PseudolabelError(
      'E_CHECKPOINT_MISMATCH',
      `${path} was begun with other numbers: ${changes.join('; ')}`,
      'go on with the version of pseudolabel that began it, or start anew in another folder',
    );
  }
}

/**
 * Goes on in a run directory: at the checkpoint given, else at the newest, else, where the run was killed before its first, at the beginning.
 * Throws E_LOCKED where a process works on it, E_CHECKPOINT_MISMATCH where it is of another run, and E_NUMERICS where what computed it has other
 * bits than this machine.
 * @param allowMixed does without that
 */
export async function earlierRun(
  session: Session,
  config: RunConfig,
  path: string,
  checkpointFile: string | undefined,
  allowMixed: boolean,
): Promise<OpenedRun> {
  const lock = await RunDirectory.lock(path); // first: what is read from here on is nobody's to change
  try {
    const stages = planOf(config, taskOf(config, session.dataset));
    const unlabelled = splitOf(config, session.dataset).unlabelled.length;
    const file = checkpointFile ?? (await latestCheckpoint(path));
    const resumeFrom =
      file === undefined
        ? undefined
        : await loadCheckpoint(file, identityFor(config, session), (arrays) => fits(arrays, stages, unlabelled));
    if (resumeFrom && resumeFrom.numerics !== session.numerics && !allowMixed) throw otherNumerics(path);
    const stageNames = stages.map(({ name }) => name);
    const directory = await RunDirectory.reopen(path, stageNames, resumeFrom ?? { stage: 0, step: 0 }, lock);
    return { directory, resumeFrom };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Whether a checkpoint's arrays are as long as those of the run, to which they are copied. unlabelled: images. */
function fits({ stage, lengths }: PromisedArrays, stages: readonly Stage[], unlabelled: number): boolean {
  const model = stages[stage]?.model;
  const vector = model && layoutOf(model).length;
  const expected = {
    ...{ parameters: vector, firstMoment: vector, secondMoment: vector },
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
