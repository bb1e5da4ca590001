// Tests what a run directory says of the run that began in it, and that a later preset does not change it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identityOfRun } from '../../../coordinator/runs/identity.js';
import { resolveRun } from '../../../coordinator/runs/resolved-run.js';
import { checkPlan, earlierRun, newRun } from '../../../coordinator/runs/resume.js';
import { saveCheckpoint } from '../../../src/checkpoint/checkpoint.js';
import { loadDataset } from '../../../src/data/load.js';
import { parameterCount } from '../../../src/models/models.js';
import { normalise, type Options } from '../../../src/training/config.js';
import { folderOfFile } from '../../folders.js';

const folder = folderOfFile('resume');
const dataset = await loadDataset();
const runOf = (options: unknown) => resolveRun(normalise(options), dataset);
const run = runOf({ scenario: 'dae', hidden: 64, quick: true });

type Saved = Options & { stages: { method: { threshold?: number } }[] };
const savedIn = async (path: string) => JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Saved;

it('a run directory holds every number of every stage, and a new run by its config is refused where they have changed (case 30)', async () => {
  const path = join(folder, 'first');
  await newRun(run, path);
  const saved = await savedIn(path);
  expect(saved.stages).toEqual(JSON.parse(JSON.stringify(run.stages)));

  await newRun(runOf(saved), join(folder, 'again'));
  expect((await savedIn(join(folder, 'again'))).stages).toEqual(saved.stages);
  await expect(newRun(runOf({ ...saved, threshold: 0.5 }), join(folder, 'other'))).rejects.toMatchObject({
    code: 'E_CONFIG',
    message: expect.stringContaining('finetune.method.threshold'),
  });
});

it('a reproduction does not go on by other numbers than it began with (case 30)', async () => {
  const path = join(folder, 'row');
  await checkPlan(run, path); // not begun
  await newRun(run, path);
  await checkPlan(run, path);

  const saved = await savedIn(path);
  saved.stages.at(-1)!.method.threshold = 0.123;
  await writeFile(join(path, 'config.json'), JSON.stringify(saved));
  await expect(checkPlan(run, path)).rejects.toMatchObject({
    code: 'E_CHECKPOINT_MISMATCH',
    message: expect.stringContaining('finetune.method.threshold is 0.123'),
  });
});

it('a checkpoint whose method remembers something else is damaged', async () => {
  const path = join(folder, 'remembers');
  const { directory } = await newRun(run, path);
  await directory.close();
  const stage = run.stages.length - 1;
  const zeros = new Float32Array(parameterCount(run.stages[stage]!.model));
  const labels = {
    pseudoLabels: new Uint16Array(run.task.unlabelled),
    confidences: new Float32Array(run.task.unlabelled),
  };
  const state = { parameters: zeros, firstMoment: zeros, secondMoment: zeros, ...labels };
  const shares = new Array<number>(10).fill(0.1);
  const resumed = async (methodState: Record<string, number[]>) => {
    const checkpoint = {
      stage,
      step: 1,
      methodState,
      identity: identityOfRun(run),
      numerics: 'n',
      state,
      progress: {},
    };
    await saveCheckpoint(join(path, 'checkpoints'), checkpoint, 1);
    const opened = await earlierRun(run, 'n', path, undefined, false);
    await opened.directory.close();
    return opened.resumeFrom?.methodState;
  };
  const whole = { target: shares, predicted: shares };
  expect(await resumed(whole)).toEqual(whole);
  for (const other of [{}, { target: shares }, { ...whole, more: shares }])
    await expect(resumed(other)).rejects.toMatchObject({ code: 'E_CHECKPOINT_DAMAGED' });
});
