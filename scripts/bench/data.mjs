// How long it takes to read pictures: MNIST's 60,000 training images as PNG files. Decoding them against a loop of Pillow's over two
// processes, in turns; and from the start of the program to its first step, when they have been decoded before, against MNIST's own files.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { loadDataset } from '../../dist/src/data/load.js';
import { inTurns, lastJson, median, ours, outputOf, started } from './measuring.mjs';

const PILLOW = fileURLToPath(new URL('pillow-loop.py', import.meta.url));
const DEADLINE_MS = 600_000;
const LABELS_PER_CLASS = 10;

/** @param {{rounds: number}} options */
export async function benchData({ rounds }) {
  const home = mkdtempSync(join(tmpdir(), 'pseudolabel-data-'));
  try {
    const folder = join(home, 'pictures');
    const count = await writePictures(folder);
    const python = pythonWithPillow();
    if (!python) console.log('no Python with Pillow was found (PILLOW_PYTHON names one): ours alone');
    const contestants = [
      {
        name: 'ours, two threads',
        seconds: [],
        measure: () => ours('decode-pictures.mjs', folder, join(home, 'cache'), 2),
      },
      ...(python ? [{ name: 'Pillow, two processes', seconds: [], measure: () => pillow(python, folder) }] : []),
    ];
    await inTurns(contestants, rounds, async ({ seconds, measure }) => seconds.push(lastJson(await measure()).seconds));
    for (const { name, seconds } of contestants)
      console.log(
        `${count} pictures decoded, ${name}: median ${inSeconds(median(seconds))} (${seconds.map(inSeconds).join(', ')})`,
      );

    const starts = [
      { name: 'these pictures, decoded before', args: ['--data', folder, '--cache', join(home, 'cache')], seconds: [] },
      { name: "MNIST's own files", args: [], seconds: [] },
    ];
    await ours('decode-pictures.mjs', folder, join(home, 'cache'), 2);
    await inTurns(starts, rounds, async ({ args, seconds }, round) => {
      seconds.push(await toFirstStep([...args, '--out', join(home, `run-${round}-${args.length}`)]));
    });
    for (const { name, seconds } of starts)
      console.log(
        `to the first step, ${name}: median ${inSeconds(median(seconds))} (${seconds.map(inSeconds).join(', ')})`,
      );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const inSeconds = (seconds) => `${seconds.toFixed(2)} s`;

const pillow = (python, folder) => outputOf(python, [PILLOW, folder], { env: process.env, deadlineMs: DEADLINE_MS });

function pythonWithPillow() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const candidates = [
    process.env.PILLOW_PYTHON,
    'python3',
    join(cache, 'pseudolabel', 'peers', 'venv', 'bin', 'python'),
  ];
  return candidates.find((python) => python && spawnSync(python, ['-c', 'import PIL']).status === 0);
}

/** Seconds from the start of the program until its first stage begins. */
async function toFirstStep(args) {
  const began = performance.now();
  const run = started([
    'train',
    '--scenario',
    'nn',
    '--max-steps',
    '1',
    '--hidden',
    '96',
    '--workers',
    '2',
    '--log-format',
    'json',
    ...args,
  ]);
  await run.says(/stage begins/);
  const seconds = (performance.now() - began) / 1000;
  await run.ended();
  return seconds;
}

async function writePictures(folder) {
  const { train, classNames, height, width } = await loadDataset();
  mkdirSync(folder, { recursive: true });
  const nameOf = (i) => `${String(i).padStart(5, '0')}.png`;
  const taken = classNames.map(() => 0);
  const lines = ['file,label'];
  for (let i = 0; i < train.count; i++) {
    writeFileSync(join(folder, nameOf(i)), png(train.images.at(i), height, width));
    if (taken[train.labels[i]]++ < LABELS_PER_CLASS) lines.push(`${nameOf(i)},${classNames[train.labels[i]]}`);
  }
  writeFileSync(join(folder, 'labels.csv'), `${lines.join('\n')}\n`);
  return train.count;
}

/** Grey, of 8 bits, with the filter of the differences to the left in every row. */
function png(pixels, height, width) {
  const rows = Buffer.alloc(height * (width + 1));
  for (let row = 0; row < height; row++) {
    rows[row * (width + 1)] = 1;
    for (let i = 0; i < width; i++)
      rows[row * (width + 1) + 1 + i] = pixels[row * width + i] - (i > 0 ? pixels[row * width + i - 1] : 0);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name, content) {
  const bytes = Buffer.alloc(12 + content.length);
  bytes.writeUInt32BE(content.length);
  bytes.write(name, 4, 'latin1');
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length);
  return bytes;
}
