// Renders a set of coloured pictures with few labels: letters of ten fonts on coloured noise, as class folders beside a folder `unlabelled`.
//
//     node examples/letters.mjs letters                       # 10 letters, 20 labels each, 5,000 without; letters/truth.csv beside
//     pseudolabel train --data letters/images --out runs/letters
//     pseudolabel label runs/letters --out labels.csv
//     node examples/score.mjs labels.csv letters/truth.csv
//
// The fonts are Debian's: apt-get install fontconfig fonts-dejavu-core fonts-liberation fonts-freefont-ttf fonts-urw-base35
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

const FONTS = [
  ...['DejaVu Sans', 'DejaVu Serif', 'DejaVu Sans Mono', 'Liberation Sans', 'Liberation Serif', 'Liberation Mono'],
  ...['FreeSans', 'FreeSerif', 'FreeMono', 'URW Gothic'],
];
const SIDE = 32;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    letters: { type: 'string', default: 'ABCDEFGHIJ' },
    labels: { type: 'string', default: '20' },
    unlabelled: { type: 'string', default: '5000' },
    test: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
});
const [out] = positionals;
if (out === undefined)
  fail('usage: node examples/letters.mjs OUT [--letters ABC] [--labels N] [--unlabelled N] [--test N] [--seed N]');
const letters = [...values.letters];

// An SVG renderer takes another font silently where one is missing.
const installed = execFileSync('fc-list', [':', 'family'], { encoding: 'utf8' });
const missing = FONTS.filter((font) => !installed.split(/[\n,]/).includes(font));
if (missing.length > 0)
  fail(`these fonts are not installed: ${missing.join(', ')}; see the head of this file for their packages`);

let state = Number(values.seed) >>> 0;
const truth = ['file,label'];
for (const letter of letters) {
  for (let i = 0; i < Number(values.labels); i++) await render(letter, join('train', letter), `${i}.png`);
}
for (let i = 0; i < Number(values.unlabelled); i++) {
  const letter = pick(letters);
  const name = `${i}.png`;
  await render(letter, join('train', 'unlabelled'), name);
  truth.push(`train/unlabelled/${name},${letter}`);
}
for (let i = 0; i < Number(values.test); i++) {
  const letter = pick(letters);
  await render(letter, join('test', letter), `${i}.png`);
}
await writeFile(join(out, 'truth.csv'), `${truth.join('\n')}\n`);

/** A letter that is lighter than its background, of any two colours, a little turned and moved. */
async function render(letter, folder, name) {
  const background = [0, 1, 2].map(() => 120 * random());
  const noise = 80 * random();
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = Math.max(0, Math.min(255, background[i % 3] + noise * (random() - 0.5)));
  }
  const colour = [0, 1, 2].map((channel) => Math.min(255, background[channel] + 70 + 100 * random()));
  const [x, y, turn, size] = [
    16 + 4 * (random() - 0.5),
    24 + 4 * (random() - 0.5),
    16 * (random() - 0.5),
    22 + 6 * random(),
  ];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}"><text x="${x}" y="${y}"
    transform="rotate(${turn} 16 16)" text-anchor="middle" font-family="${pick(FONTS)}" font-size="${size}"
    fill="rgb(${colour.map(Math.round)})">${letter}</text></svg>`;
  const at = join(out, 'images', folder);
  await mkdir(at, { recursive: true });
  await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .composite([{ input: Buffer.from(svg) }])
    .png()
    .toFile(join(at, name));
}

function pick(among) {
  return among[Math.floor(random() * among.length)];
}

/** Mulberry32: the same pictures for the same seed. */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

function fail(why) {
  console.error(why);
  process.exit(2);
}
