// What a run directory says of the run that began in it, and that a later preset does not change it.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resolveRun } from '../../../coordinator/runs/resolved-run.js';
import { checkPlan, newRun } from '../../../coordinator/runs/resume.js';
import { loadDataset } from '../../../src/data/load.js';
import { normalise, type Options } from '../../../src/training/config.js';
import { folderOfFile } from '../../folders.js';

const folder = folderOfFile('resume');
const dataset = await loadDataset({ folder: undefined });
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
