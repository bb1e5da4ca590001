// Tests runs that are disturbed, on networks so small that a run takes a second or two. Their bits and tables are those
// of an undisturbed run.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError, interrupt, json, pseudolabel, resultOf, start, withoutLauncher } from './command.js';

const SMALL = ['--hidden', '64'];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-cli-'));
});
afterAll(() => rm(root, { recursive: true }));

describe('the weights of a run', () => {
  // These scenarios include everything that the others train by.
  it.each([
    { scenario: 'pl', by: [] },
    { scenario: 'dae', by: [] },
    { scenario: 'dae', by: ['--strategy', 'data'] },
  ])('of $scenario are the same bits for any number of workers, and when workers are lost $by', async (which) => {
    const { scenario, by } = which;
    const run = async (name: string, ...flags: string[]) => {
      const out = join(root, [scenario, ...by, name].join('-'));
      const options = ['--scenario', scenario, '--preset', 'report', '--max-steps', '6', '--shards', '4', ...SMALL];
      await pseudolabel('train', ...options, ...by, '--out', out, ...flags);
      return resultOf(out);
    };
    const losses = [0, 2, 3, 5].flatMap((step) => ['--lose-worker', `${step}`]);
    const [alone, three, disturbed] = await Promise.all([
      run('alone', '--workers', '1'),
      run('with-3', '--workers', '3'),
      run('disturbed', '--workers', '2', ...losses),
    ]);
    expect(three).toMatchObject({ weightsSha256: alone.weightsSha256, lostWorkers: 0 });
    expect(disturbed.lostWorkers).toBeGreaterThan(0);
    expect(disturbed.weightsSha256).toBe(alone.weightsSha256);
  });
});

describe('the numbers of a run', () => {
  it('are printed, changed in a file or one by one, and in its config.json, by which it is done again', async () => {
    const short = ['--max-steps', '4', '--shards', '2'];
    const { stdout } = await pseudolabel('preset', 'report', '--scenario', 'pl', ...SMALL);
    const stages = join(root, 'stages.json');
    await writeFile(stages, stdout.replace('"rate": {', '"rate":\n{'));
    const run = async (name: string, ...flags: string[]) => {
      await pseudolabel('train', ...flags, ...short, '--out', join(root, name));
      return (await resultOf(join(root, name))).weightsSha256;
    };
    const preset = ['--scenario', 'pl', '--preset', 'report', ...SMALL];
    const [asPrinted, plain, changed] = await Promise.all([
      run('own', '--stages', stages),
      run('preset', ...preset),
      run(
        'set',
        ...preset,
        '--set',
        'supervised.rate={"kind":"constant","value":0.01}',
        '--set',
        'supervised.labelledBatch=16',
      ),
    ]);
    expect(asPrinted).toBe(plain);
    expect(changed).not.toBe(plain);
    const [setAgain, ownAgain] = await Promise.all([
      run('set-again', '--config', join(root, 'set', 'config.json')),
      run('own-again', '--config', join(root, 'own', 'config.json')),
    ]);
    expect([setAgain, ownAgain]).toEqual([changed, plain]);
    expectError(await pseudolabel('train', ...preset, '--set', 'supervised.rate.inital=1'), 'E_CONFIG');
    const resumed = ['--resume', join(root, 'set'), '--set', 'supervised.labelledBatch=8'];
    expectError(await pseudolabel('train', ...resumed), 'E_USAGE');
  });
});

describe('a sweep', () => {
  it('ends with a table by validation accuracy, and goes on where it was stopped', async () => {
    const out = join(root, 'sweep');
    const options = ['--set', 'supervised.rate.initial=0.001,0.01', '--seeds', '1..2', '--validation', '300'];
    const short = ['--scenario', 'drop', '--preset', 'report', '--max-steps', '5', '--shards', '2', ...SMALL];
    const whole = await pseudolabel('sweep', ...options, ...short, '--out', out);
    expect(whole.stdout).toMatch(/settings +validation +deviation +runs/);
    expect(whole.stdout.match(/^supervised.rate.initial=0.(?:001|01) .* %/gm)).toHaveLength(2);
    const rows = await json<{ rows: unknown[] }>(out, 'sweep-result.json');
    await rm(join(out, '2-seed-1'), { recursive: true });
    const { stderr } = await pseudolabel('sweep', '--resume', out);
    expect(stderr.match(/finished before/g)).toHaveLength(3);
    const again = await json<{ rows: object[] }>(out, 'sweep-result.json');
    const means = ({ rows: all }: { rows: unknown[] }) => all.map((row) => (row as { mean: number }).mean);
    expect(means(again)).toEqual(means(rows));
    for (const other of [
      ['--seeds', '1'],
      ['--hidden', '48'],
    ])
      expectError(await pseudolabel('sweep', '--resume', out, ...other), 'E_USAGE');
    expectError(await pseudolabel('sweep', ...options.slice(0, 4), ...short), 'E_USAGE');
    const unknown = ['--set', 'supervised.rat=1', '--validation', '300', ...short, '--out', join(root, 'no-sweep')];
    expectError(await pseudolabel('sweep', ...unknown), 'E_CONFIG');
    expect(existsSync(join(root, 'no-sweep', 'sweep.json'))).toBe(false);
  });
});

describe('an interrupted run', () => {
  it('saves a checkpoint, ends with 130, and goes on to the bits of a run that was not, whatever the environment (case 9)', async () => {
    const [whole, halves] = [join(root, 'whole'), join(root, 'halves')];
    const options = ['--scenario', 'pl', '--preset', 'report', '--max-steps', '400', '--shards', '4', ...SMALL];
    // The launcher ignores these variables, which would change the bits of a network of layers.
    const settings = { TF_ENABLE_ONEDNN_OPTS: '0', DNNL_MAX_CPU_ISA: 'SSE41' };
    const { stderr } = await start(['train', ...options, '--out', whole], settings).ended;
    expect(stderr).toContain('ignored, since it may change the bits of a run: DNNL_MAX_CPU_ISA TF_ENABLE_ONEDNN_OPTS');

    const { child, says, ended } = start([
      'train',
      ...options,
      '--out',
      halves,
      '--stall-worker',
      '410',
      '--checkpoint-seconds',
      '0',
    ]);
    await says('supervised: 400 steps');
    interrupt(child);
    expectError(await ended, 'E_INTERRUPTED', 130);
    expect((await ended).stderr).toMatch(new RegExp(`go on with: .*pseudolabel.* train --resume ${halves}$`, 'm'));
    expect(await readdir(join(halves, 'checkpoints'))).toHaveLength(1);
    expect(existsSync(join(halves, 'result.json'))).toBe(false);

    const other = await pseudolabel('train', '--resume', halves, '--hidden', '32', '--seed', '9');
    expectError(other, 'E_USAGE');
    expect(other.stderr).toContain('--seed, --hidden');

    // This runs without the launcher, which would ignore the settings. Products of dense networks are our own, and read
    // no settings.
    const resumed = await start(['train', '--resume', halves, '--workers', '1'], settings, withoutLauncher).ended;
    expect(resumed).toMatchObject({ exit: 0 });
    const { weightsSha256, testAccuracy } = await resultOf(whole);
    expect(await resultOf(halves)).toMatchObject({ weightsSha256, testAccuracy, steps: 800, workers: 1 });
    const metrics = await Promise.all([whole, halves].map((run) => readFile(join(run, 'metrics.jsonl'), 'utf8')));
    expect(metrics[1]).toBe(metrics[0]);

    const finished = await pseudolabel('train', '--resume', halves, '--json', '-');
    expect(finished.exit).toBe(0);
    expect(JSON.parse(finished.stdout)).toEqual(await resultOf(halves));
    expectError(await pseudolabel('train', ...options, '--out', halves), 'E_USAGE');
  });
});

describe('reproduce', () => {
  const table = (stdout: string) => stdout.split('\n').filter((line) => /^(NN|DropNN)/.test(line));

  it('ends with a table of the rows, with mean and deviation over splits', async () => {
    const out = join(root, 'splits');
    const flags = ['--splits', '2', '--scenarios', 'nn,dae', '--max-steps', '4', ...SMALL, '--out', out];
    const { exit, stdout, stderr } = await pseudolabel('reproduce', ...flags);
    expect(exit).toBe(0);
    expect(stdout + stderr).not.toContain('\u001b');
    expect(table(stdout)).toEqual([
      expect.stringMatching(/^NN +74\.19 +70\.03 +\d+\.\d\d ± \d+\.\d\d +4 +\d+\.\d +[\d,]+$/),
      expect.stringMatching(/^DropNN\+PL\+DAE +89\.51 +76\.95 +\d+\.\d\d ± \d+\.\d\d +8 +\d+\.\d +[\d,]+$/),
    ]);
    expect(stdout).toContain(`run directory: ${out}`);
    const { rows } = await json<{ rows: { accuracy: number }[] }>(out, 'reproduce.json');
    const accuracies = await Promise.all(
      [1, 2].map(async (k) => (await resultOf(out, `split-${k}`, 'nn')).testAccuracy!),
    );
    expect(rows[0]!.accuracy).toBeCloseTo((100 * (accuracies[0]! + accuracies[1]!)) / 2, 9);
  });

  it('goes on after an interruption: finished rows are read, the others run', async () => {
    const out = join(root, 'interrupted');
    const flags = ['--preset', 'report', '--scenarios', 'nn,pl', '--max-steps', '300', ...SMALL, '--out', out];
    // The row NN has 80 steps. The other one has 300 steps on labelled images, and as many with pseudo-labels.
    const { child, says, ended } = start(['reproduce', ...flags, '--stall-worker', '390']);
    await says('supervised: 300 steps');
    interrupt(child);
    expectError(await ended, 'E_INTERRUPTED', 130);
    expect((await ended).stderr).toMatch(new RegExp(`go on with: .*pseudolabel.* reproduce --resume ${out}$`, 'm'));
    const finished = await resultOf(out, 'nn');

    const { exit, stdout, stderr } = await pseudolabel('reproduce', '--resume', out);
    expect(exit).toBe(0);
    expect(stderr).toContain('NN (finished before)');
    expect(stderr).toContain('finetune: goes on at step');
    expect(table(stdout)).toHaveLength(2);
    expect(await resultOf(out, 'nn')).toEqual(finished);
  });
});
