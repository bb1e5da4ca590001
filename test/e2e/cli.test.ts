// Tests the command line as a user meets it: help, mistakes, data, what a run prints and where, and whether the machine
// is usable.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { writeIdx } from '../write-idx.js';
import { type Ended, expectError, json, pseudolabel, resultOf, start } from './command.js';

const COMMANDS = ['reproduce', 'train', 'evaluate', 'label', 'report', 'compare', 'scaling', 'doctor'];
const SMALL = ['--hidden', '64', '--workers', '1'];

const root = folderOfFile('cli');

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
    expect(ended.stderr.match(/^strategy: .*/gm)).toEqual([expect.stringContaining('strategy: tensor, since')]);
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
    expect(stdout).toMatch(/^ +wrong +TensorFlow +E_NATIVE: .*libtensorflow_cc\.so\.2.*\n +fix: .*setup/m);
    expect(stdout).toMatch(/^ +ok +MNIST/m);
    expect(exit).toBe(1);
  });

  it('says what to do about settings that take away what a run needs, and which it ignored (case 9)', async () => {
    const { exit, stdout } = await start(['doctor'], { NODE_OPTIONS: '--jitless', DNNL_MAX_CPU_ISA: 'AVX2' }).ended;
    expect(stdout).toMatch(/^ +wrong +kernel +E_CONFIG: .*WebAssembly\n +fix: .*--jitless/m);
    expect(stdout).toMatch(/^ +note +environment +.*DNNL_MAX_CPU_ISA$/m);
    expect(exit).toBe(1);
  });
});
