// Scores the labels that `pseudolabel label` wrote against a file of true ones: node examples/score.mjs labels.csv truth.csv
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';

const [labels, truth] = await Promise.all(process.argv.slice(2, 4).map(read));
const labelOf = new Map(labels.map(({ file, label }) => [file, label]));
const lost = truth.filter(({ file }) => !labelOf.has(file));
if (lost.length > 0) throw new Error(`${lost.length} images have no label, the first is ${lost[0].file}`);
const right = truth.filter(({ file, label }) => labelOf.get(file) === label).length;
console.log(`${right} of ${truth.length} right, ${((100 * right) / truth.length).toFixed(2)} %`);

async function read(path) {
  return parse(await readFile(path, 'utf8'), { columns: true });
}
