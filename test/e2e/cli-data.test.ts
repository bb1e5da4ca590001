// Tests data as users have it: few labels, unknown labels, classes that are not numbered from 0, no test set.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunData } from '../../coordinator/runs/result.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { folderOfFile } from '../folders.js';
import { writeIdx } from '../write-idx.js';
import { expectError, json, pseudolabel, resultOf } from './command.js';

const root = folderOfFile('data');
const CLASSES = [3, 8, 254];
const COUNT = 60;

/**
 * Writes images of 3 x 4 pixels whose bright row tells the class. The first `known` images have labels; those of the
 * others are 255.
 */
async function writeSet(folder: string, set: 'train' | 't10k', known: number): Promise<void> {
  const images = new Uint8Array(12 * COUNT);
  const labels = new Uint8Array(COUNT).fill(255);
  for (let image = 0; image < COUNT; image++) {
    const each = image % CLASSES.length;
    images.fill(200, 12 * image + 4 * each, 12 * image + 4 * each + 4);
    if (image < known) labels[image] = CLASSES[each]!;
  }
  await writeIdx(join(folder, `${set}-images-idx3-ubyte`), [COUNT, 3, 4], images);
  if (known > 0) await writeIdx(join(folder, `${set}-labels-idx1-ubyte`), [COUNT], labels);
}

async function folderOf(name: string): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  return folder;
}

it('a run on partly labelled data without a test set ends without an accuracy, and its model labels the data by name (cases 3, 4, 14, 23 and 25)', async () => {
  const [data, tested, out] = [await folderOf('partly'), await folderOf('tested'), join(root, 'run')];
  await writeSet(data, 'train', 12);
  await writeSet(tested, 'train', 0);
  await writeSet(tested, 't10k', COUNT);
  const size = ['--hidden', '64', '--workers', '1', '--shards', '1', '--max-steps', '60'];
  const trained = await pseudolabel(
    'train',
    '--scenario',
    'pl',
    '--data',
    data,
    '--validation',
    '3',
    ...size,
    '--out',
    out,
  );
  expect(trained.exit, trained.stderr).toBe(0);
  expect(trained.stderr).toContain('60 images, 9 of them labelled (all labels that there are), 3 held out');
  expect(trained.stderr).toContain('no test accuracy');
  expect(trained.stdout).not.toContain('test accuracy');
  const result = await resultOf(out);
  expect(result).not.toHaveProperty('testAccuracy');
  expect(result.classNames).toEqual(['3', '8', '254']);
  expect((await json<RunData>(out, 'data.json')).images).toEqual({
    train: 60,
    known: 12,
    labelled: 9,
    validation: 3,
    test: 0,
  });
  const metrics = await readFile(join(out, 'metrics.jsonl'), 'utf8');
  expect(metrics).toContain('"kind":"labels"');
  expect(metrics).not.toContain('truth');
  const report = await readFile(join(out, 'report.html'), 'utf8');
  for (const unknown of ['Paper', '83.85', 'Only for judging', 'NaN']) expect(report).not.toContain(unknown);

  const [labels, csv] = [join(root, 'labels'), join(root, 'labels.csv')];
  const [labelled, untested, evaluated, mnist] = await Promise.all([
    pseudolabel('label', out, '--out', labels, '--json', '-'),
    pseudolabel('evaluate', join(out, 'model')),
    pseudolabel('evaluate', out, '--data', tested, '--json', '-'),
    pseudolabel('label', join(out, 'model'), '--data', tested, '--out', join(root, 'others'), '--json', '-'),
  ]);
  const truth = Array.from({ length: COUNT }, (_, image) => CLASSES[image % CLASSES.length]!);
  expect(JSON.parse(labelled.stdout)).toMatchObject({ images: 'partly', count: COUNT, classNames: ['3', '8', '254'] });
  expect([...(await readIdx(labels)).values]).toEqual(truth);
  await pseudolabel('label', out, '--out', csv);
  const lines = (await readFile(csv, 'utf8')).trimEnd().split('\n').slice(1);
  expect(lines.map((line) => Number(line.split(',')[1]))).toEqual(truth);
  expect(lines.map((line) => line.split(',')[5])).toEqual(truth.map((label, i) => (i < 12 ? String(label) : '')));
  for (const line of lines) {
    const [, first, confidence, second, other] = line.split(',');
    expect(second).not.toBe(first);
    expect(Number(other)).toBeLessThanOrEqual(Number(confidence));
    expect(Number(other) + Number(confidence)).toBeLessThan(1.00001);
  }
  expectError(untested, 'E_DATA_MISSING');
  expect(untested.stderr).toContain('partly has no test images with labels');
  expect(JSON.parse(evaluated.stdout)).toMatchObject({
    data: 'tested',
    testAccuracy: 1,
    classNames: ['3', '8', '254'],
  });
  expect(JSON.parse(mnist.stdout)).toMatchObject({ images: 'tested', count: COUNT });
});
