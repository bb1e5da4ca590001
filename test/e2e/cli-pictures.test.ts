// Tests image files in one folder, in folders of classes, and packed. They train to the bits of the same images in IDX
// files.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { loadDataset } from '../../src/data/load.js';
import { folderOfFile } from '../folders.js';
import { pngFile, writeFiles } from '../pictures.js';
import { writeIdx } from '../write-idx.js';
import { expectError, pseudolabel, resultOf, start } from './command.js';

const root = folderOfFile('pictures');
const at = (...names: string[]): string => join(root, ...names);
const COUNT = 600;
const PIXELS = 784;
const OPTIONS = ['--scenario', 'pl', '--hidden', '64', '--max-steps', '12', '--workers', '2', '--cache', at('cache')];

/** Writes the first images of MNIST. The first ten of each class keep their labels. */
beforeAll(async () => {
  const { train } = await loadDataset();
  const taken = Array<number>(10).fill(0);
  const labels = new Uint8Array(COUNT).fill(255);
  const lines = ['file,label'];
  const [flat, byClass]: [Record<string, Buffer>, Record<string, Buffer>] = [{}, {}];
  for (let i = 0; i < COUNT; i++) {
    const label = train.labels[i]!;
    const isKnown = taken[label]!++ < 10;
    const rows = Buffer.alloc(28 * 29);
    for (let row = 0; row < 28; row++) rows.set(train.images.at(i).subarray(28 * row, 28 * (row + 1)), 29 * row + 1);
    const png = pngFile(28, 28, {}, rows);
    flat[`${i}.png`] = png;
    byClass[isKnown ? `${label}/${i}.png` : `unlabelled/${i}.png`] = png;
    if (!isKnown) continue;
    labels[i] = label;
    lines.push(`${i}.png,${label}`);
  }
  await Promise.all([
    writeFiles(at('flat'), { ...flat, 'labels.csv': lines.join('\n') }),
    writeFiles(at('classes'), byClass),
    mkdir(at('idx')),
  ]);
  const images = train.images.gather(Uint32Array.from({ length: COUNT }, (_, i) => i));
  expect(images.length).toBe(COUNT * PIXELS);
  await writeIdx(at('idx', 'train-images-idx3-ubyte'), [COUNT, 28, 28], images);
  await writeIdx(at('idx', 'train-labels-idx1-ubyte'), [COUNT], labels);
});

async function weightsOf(data: string): Promise<string> {
  const out = at(`run-${data}`);
  const { exit, stderr } = await pseudolabel('train', ...OPTIONS, '--data', at(data), '--out', out);
  expect(exit, stderr).toBe(0);
  const { weightsSha256 } = await resultOf(out);
  return weightsSha256;
}

it('pictures in one folder, by class or packed give the weights of the IDX files with the same labels', async () => {
  const packed = await pseudolabel('pack', at('classes'), at('packed'), '--cache', at('cache'), '--json', '-');
  expect(packed.exit, packed.stderr).toBe(0);
  expect(JSON.parse(packed.stdout)).toMatchObject({ train: COUNT, known: 100, test: 0, channels: 1 });
  const weights = await Promise.all(['idx', 'flat', 'classes', 'packed'].map(weightsOf));
  expect(new Set(weights).size).toBe(1);
});

it('a run on pictures goes on with the options that it began with, and says which images or labels are others', async () => {
  const data = at('flat');
  const begun = at('begun');
  const given = ['--validation', '0.2', '--checkpoint-every', '4', '--checkpoint-seconds', '0'];
  const first = await pseudolabel('train', ...OPTIONS, ...given, '--data', data, '--size', '28x28', '--out', begun);
  expect(first.exit, first.stderr).toBe(0);
  const { weightsSha256 } = await resultOf(begun);
  const csv = (lines: readonly string[]): string => ['file,label', ...lines].join('\n');
  const [, ...lines] = (await readFile(join(data, 'labels.csv'), 'utf8')).split('\n');
  const [name, label] = lines[0]!.split(',') as [string, string];
  const other = `${name},${(Number(label) + 1) % 10}`;
  await writeFiles(at('files'), {
    'same.csv': csv(lines),
    'other.csv': csv([other, ...lines.slice(1)]),
    'fewer.csv': csv(lines.slice(0, -3)),
  });
  /** Resumes the run as if it had been interrupted after its last checkpoint. */
  const resume = async (...flags: string[]) => {
    const path = at(`resumed-${flags.join('-').replaceAll('/', '_')}`);
    await cp(begun, path, { recursive: true });
    await rm(join(path, 'result.json'));
    return { path, ended: await pseudolabel('train', '--resume', path, ...flags) };
  };

  const fitting = [[], ['--data', data], ['--labels', at('files', 'same.csv')], ['--validation', '0.2']];
  for (const flags of fitting) {
    const { path, ended } = await resume(...flags);
    expect(ended.exit, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('goes on at step 8 of 12');
    expect((await resultOf(path)).weightsSha256).toBe(weightsSha256);
  }
  const refused: [flags: string[], code: string, says: string][] = [
    [['--labels', at('files', 'other.csv')], 'E_CHECKPOINT_MISMATCH', 'as many of both, but not the same'],
    [['--labels', at('files', 'fewer.csv')], 'E_CHECKPOINT_MISMATCH', 'labels: 100 then, 97 now'],
    [['--size', '14x20'], 'E_CHECKPOINT_MISMATCH', 'images: 28x28x1 then, 14x20x1 now'],
    [['--data', at('files')], 'E_DATA_FORMAT', at('files')],
    [['--validation', '0.3'], 'E_USAGE', 'cannot change --validation'],
  ];
  for (const [flags, code, says] of refused) {
    const { ended } = await resume(...flags);
    expectError(ended, code);
    expect(ended.stderr).toContain(says);
  }
});

it('pack replaces nothing that it reads, and leaves no half file when it is interrupted', async () => {
  const refused = await pseudolabel('pack', at('flat'), at('flat', '0.png'));
  expectError(refused, 'E_USAGE');
  expect(refused.stderr).toContain('would replace');

  const { child, says, ended } = start(['pack', at('flat'), at('large'), '--size', '300x300', '--cache', at('other')]);
  await says('decod'); // This is while it decodes, or before it has written what it decoded.
  child.kill('SIGINT');
  const { exit } = await ended;
  expect([0, 130]).toContain(exit);
  const left = [...(await readdir(root)), ...(await readdir(at('other')).catch(() => []))];
  expect(left.filter((name) => name.includes('.tmp-'))).toEqual([]);
  expect(left.includes('large')).toBe(exit === 0);
});

it('a picture that is none ends the command with its name, before anything is trained', async () => {
  await writeFiles(at('bad'), { 'a/1.png': 'nothing', 'b/2.png': 'nothing' });
  await writeFile(at('bad', 'a', '3.png'), pngFile(2, 2, {}, new Uint8Array(6)));
  const { exit, stderr } = await pseudolabel('train', ...OPTIONS, '--data', at('bad'), '--out', at('run-bad'));
  expect(exit).toBe(2);
  expect(stderr).toContain('error E_DATA_IMAGE');
  expect(stderr).toContain('a/1.png (it is no PNG');
});
