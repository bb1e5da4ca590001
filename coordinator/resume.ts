// Owns the two ways into a run directory: a new one, or one that holds the beginning of the same run.
import { type Checkpoint, latestCheckpoint, loadCheckpoint } from '../src/checkpoint.js';
import type { RunConfig } from '../src/config.js';
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
 * Throws E_CHECKPOINT_MISMATCH where it is of another run.
 */
export async function earlierRun(
  session: Session,
  config: RunConfig,
  path: string,
  checkpointFile: string | undefined,
): Promise<OpenedRun> {
  const file = checkpointFile ?? (await latestCheckpoint(path));
  const resumeFrom = file === undefined ? undefined : await loadCheckpoint(file, identityFor(config, session));
  const stageNames = planOf(config, taskOf(config, session.dataset)).map(({ name }) => name);
  const directory = await RunDirectory.reopen(path, stageNames, resumeFrom ?? { stage: 0, step: 0 });
  return { directory, resumeFrom };
}
