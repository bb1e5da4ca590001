// Writes pictures to try pseudolabel on: handwritten digits as PNG files, ten labelled ones in a folder for each class beside a folder `unlabelled`.
//
//     node examples/digits.mjs my-images          # 1,000 pictures, and 1,000 to test in test/; --unlabelled N, --test N: other numbers
//
// They are MNIST's, which comes with the program.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDataset } from 'pseudolabel';
import sharp from 'sharp';

const LABELLED = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { unlabelled: { type: 'string', default: '900' }, test: { type: 'string', default: '1000' } },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('usage: node examples/digits.mjs FOLDER [--unlabelled N] [--test N]');
const { train, test, classNames, height, width } = await loadDataset();

/** Writes one picture of a set. */
async function write(images, image, ...path) {
  const file = join(folder, ...path, `${image}.png`);
  await mkdir(join(file, '..'), { recursive: true });
  await sharp(images.at(image), { raw: { height, width, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(file);
}

const written = new Array(classNames.length).fill(0);
let unlabelled = 0;
for (let image = 0; unlabelled < Number(values.unlabelled) && image < train.count; image++) {
  const label = train.labels[image];
  const isLabelled = written[label] < LABELLED;
  if (isLabelled) written[label]++;
  else unlabelled++;
  await write(train.images, image, 'train', isLabelled ? classNames[label] : 'unlabelled');
}
for (let image = 0; image < Number(values.test); image++)
  await write(test.images, image, 'test', classNames[test.labels[image]]);
console.log(
  `${folder}: ${LABELLED * classNames.length} labelled pictures, ${unlabelled} without a label, ${values.test} to test`,
);
