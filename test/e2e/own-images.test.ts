// Tests a user's own images: classes in folders, many more images in `unlabelled`, in colour. They are trained on
// threads and on two nodes, and then labelled.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { expect, it } from 'vitest';
import { colourPicture, pngOf, writeFiles } from '../pictures.js';
import { operatorOfFile } from './cluster.js';

const CLASSES = ['blue', 'green', 'red'];
const LABELLED = 60;
const COUNT = 300;

const operator = operatorOfFile();

/**
 * Writes images whose class is their bright channel. The first 60 are in folders of their classes.
 * @returns names, and the class of each
 */
async function writePictures(folder: string): Promise<Map<string, string>> {
  const truth = new Map<string, string>();
  const files: Record<string, Buffer> = {};
  for (let i = 0; i < COUNT; i++) {
    const name = CLASSES[i % CLASSES.length]!;
    const picture = colourPicture(8, 8);
    const bright = 2 - (i % CLASSES.length);
    picture.pixels.forEach((_, at) => {
      picture.pixels[at] = (at % 3 === bright ? 150 : 0) + ((37 * at + 61 * i) % 100);
    });
    const file = i < LABELLED ? `${name}/${i}.png` : `unlabelled/Bild ä ${i}, neu.png`;
    files[file] = await pngOf(picture);
    truth.set(file, name);
  }
  await writeFiles(folder, files);
  return truth;
}

async function read(file: string): Promise<Record<string, string>[]> {
  return parse<Record<string, string>>(await readFile(file, 'utf8'), { columns: true });
}

it.each([
  ['dense:32', 'tensor'],
  ['convnet', 'data'],
])(
  '%s trains on class folders in colour to the same weights on threads and over two nodes, and labels each picture by its name',
  async (model, strategy) => {
    const pictures = operator.out(`pictures-${strategy}`);
    const truth = await writePictures(pictures);
    const flags = [
      ...['--data', pictures, '--cache', operator.out('cache'), '--scenario', 'pl', '--quick', '--model', model],
      ...['--strategy', strategy, '--shards', '2', '--workers', '1', '--max-steps', '40'],
    ];
    const alone = await operator.alone(`alone-${strategy}`, flags);

    const nodes = `nodes-${strategy}`;
    const coordinator = await operator.coordinator(nodes, [...flags, '--nodes', '2', '--no-local']);
    const workers = ['first', 'second'].map((name) => operator.worker(coordinator, name));
    const { exit, stderr } = await coordinator.ended;
    expect(exit, stderr).toBe(0);
    for (const { ended } of workers) expect((await ended).exit).toBe(0);
    expect(await operator.sha(nodes)).toBe(alone);

    const csv = operator.out(`${nodes}.csv`);
    const labelled = await operator.start([
      'label',
      join(operator.out(nodes), 'model'),
      '--data',
      pictures,
      '--out',
      csv,
    ]).ended;
    expect(labelled.exit, labelled.stderr).toBe(0);
    const rows = await read(csv);
    expect(rows.map(({ file }) => file).sort()).toEqual([...truth.keys()].sort());
    for (const { file, known } of rows) expect(known).toBe(file!.startsWith('unlabelled/') ? '' : truth.get(file!));
    expect(new Set(rows.map(({ label }) => label))).toEqual(new Set(CLASSES));
    const right = rows.filter(({ file, label }) => label === truth.get(file!)).length;
    expect(right).toBeGreaterThan(0.95 * COUNT);
  },
);
