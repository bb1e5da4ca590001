// Owns the two ways into a run directory: a new one, or one that holds the beginning of the same run.
import { type Checkpoint, latestCheckpoint, loadCheckpoint } from '../src/checkpoint.js';
import type { RunConfig } from '../src/config.js';
import { PseudolabelError } from '../src/errors.js';
import { planOf } from '../src/plan.js';
import { identityFor } from './recorder.js';
import { RunDirectory } from './rundir.js';
import { labelsPerClassOf, type Session, taskOf } from './session.js';

export interface OpenedRun {
  readonly directory: RunDirectory;
  /** undefined: from the first step. */
  readonly resumeFrom: Checkpoint | undefined;
}

export async function newRun({ dataset }: Session, config: RunConfig, path: string): Promise<OpenedRun> {
  const whole = { ...config, labelsPerClass: labelsPerClassOf(config, dataset) };
  return { directory: await RunDirectory.create(path, whole), resumeFrom: undefined };
}

/**
 * Goes on in a run directory: at the checkpoint given, else at the newest, else, where the run was killed before its first, at the beginning.
 * Throws E_CHECKPOINT_MISMATCH where it is of another run, and E_NUMERICS where what computed it has other bits than this machine.
 * @param allowMixed does without that
 */
export async function earlierRun(
  session: Session,
  config: RunConfig,
  path: string,
  checkpointFile: string | undefined,
  allowMixed: boolean,
): Promise<OpenedRun> {
  const file = checkpointFile ?? (await latestCheckpoint(path));
  const resumeFrom = file === undefined ? undefined : await loadCheckpoint(file, identityFor(config, session));
  if (resumeFrom && resumeFrom.numerics !== session.numerics && !allowMixed) throw otherNumerics(path);
  const stageNames = planOf(config, taskOf(config, session.dataset)).map(({ name }) => name);
  const directory = await RunDirectory.reopen(path, stageNames, resumeFrom ?? { stage: 0, step: 0 });
  return { directory, resumeFrom };
}

function otherNumerics(path: string): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits here than where ${path} was begun: another type of processor, or another build of TensorFlow`,
    'go on where it was begun, or add --allow-mixed and do without exact repetition',
  );
}
