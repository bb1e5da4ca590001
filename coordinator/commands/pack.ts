// `pseudolabel pack`: writes the images, labels and names of any data into one file, which is read without decoding.
import type { Command } from 'commander';
import { interruptible } from '../../src/data/cache.js';
import { type Dataset, type ImageSet, knownCount } from '../../src/data/dataset.js';
import type { DataOptions } from '../../src/data/options.js';
import { type PackedSet, packedBytes } from '../../src/data/packed.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, whole } from '../../src/format.js';
import { loadData } from '../load-data.js';
import { addReadingOptions, type Context, number } from './options.js';

interface PackFlags extends DataOptions {
  readonly workers?: number;
  readonly json?: string;
}

const HELP = `
The file can be copied to where a run is started, a cluster's coordinator for example: it needs neither the pictures nor what decodes them.
A run on it has the bits of a run on the pictures. Classes keep their names and images their names.

Examples:
  $ pseudolabel pack my-images my-images.pack --size 32x32
  $ pseudolabel train --data my-images.pack`;

export function addPack(program: Command, context: Context): void {
  addReadingOptions(
    program
      .command('pack')
      .description('write images, labels and names of any data into one file')
      .argument('<source>', 'folder or file of images')
      .argument('<out>', 'file to write'),
  )
    .option('--workers <n>', 'threads that decode (one a core)', number)
    .option('--json <file>', 'write what was packed as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action((source: string, out: string, flags: PackFlags) => pack(source, out, flags, context));
}

async function pack(source: string, out: string, { json, ...flags }: PackFlags, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const dataset = await loadData({ ...flags, data: source }, context);
  const { name, height, width, channels, classNames, train, test, notes = [] } = dataset;
  for (const note of notes) terminal.note(note);
  terminal.doing('packing images');
  const sets = (test ? [train, test] : [train]).map(packedSet);
  await writeAtomically(
    out,
    interruptible(packedBytes({ ...sizeOf(dataset), name, classNames, notes: [], sets }), signal),
  );
  const known = knownCount(train.labels);
  await terminal.deliver(
    () => [
      `${out}: ${counted(train.count, 'training image')} of ${height} x ${width} x ${channels}, ${whole(known)} with labels of ${`${whole(classNames.length)} ${classNames.length === 1 ? 'class' : 'classes'}`}`,
      ...(test ? [`  and ${counted(test.count, 'test image')}`] : []),
    ],
    {
      source,
      out,
      height,
      width,
      channels,
      classNames,
      notes,
      sha256: dataset.sha256,
      train: train.count,
      known,
      test: test?.count ?? 0,
    },
    json,
  );
}

const sizeOf = ({ height, width, channels }: Dataset) => ({ height, width, channels });

const packedSet = ({ images, labels, ids }: ImageSet): PackedSet => ({ store: images, labels, ids });
