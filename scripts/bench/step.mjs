// The benchmark of a fine-tune step and of labelling: ours and those of the peers, interleaved, as a table of medians
// and ratios, with where the time of our step goes.

import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { inTurns, lastJson, median, ours } from './measuring.mjs';
import { findPeers, runPeer } from './peers.mjs';

/** What we aim at, as ratios of speed in one run. */
const AIMS = [
  { id: 'tfjs-2', aim: 4.5 },
  { id: 'keras-2', aim: 2.5 },
  { id: 'ddp-2', aim: 3.5 },
  { id: 'ddp-tuned-2', aim: 3.5 },
  { id: 'torch-2', aim: 2 },
  { id: 'torch-tuned-2', aim: 2 },
  { id: 'ours-1', aim: 1.85 },
];

const ourStep = async (...args) => lastJson(await ours('our-step.mjs', ...args));

export async function measureMemory() {
  const { memory_mib: samples } = await ourStep(2, 'tensor', 2000);
  console.log(`resident memory over 2,000 steps, every 200 steps, MiB: ${samples.join(' ')}`);
}

/** @param {{rounds: number, peers?: string, only?: string, json?: string}} options `only`: contestants that have it in their id */
export async function benchStep({ rounds, peers, only = '', json }) {
  const { available, missing } = await findPeers({ dir: peers });
  for (const { label, why } of missing) console.log(`left out: ${label} (${why})`);
  const us = (id, workers, strategy) => {
    const label = `pseudolabel, ${workers} worker${workers === 1 ? '' : 's'}${strategy === 'data' ? ', data-parallel' : ''}`;
    return { id, label, run: () => ourStep(workers, strategy) };
  };
  const contestants = [
    ...[us('ours-2', 2, 'tensor'), us('ours-1', 1, 'tensor'), us('data-2', 2, 'data'), us('data-1', 1, 'data')],
    {
      id: 'product',
      label: 'bare product, 2 threads',
      run: async () => lastJson(await ours('bare-product.mjs', 2)),
    },
    ...available.map((peer) => ({ id: peer.id, label: peer.label, run: () => runPeer(peer) })),
  ];
  const runs = [];
  const chosen = contestants.filter(({ id }) => only.split(',').some((part) => id.includes(part)));
  await inTurns(chosen, rounds, async ({ id, label, run }, round) => {
    const result = await run().catch((error) => ({ failed: error.message }));
    runs.push({ round, id, label, load: loadavg()[0], ...result });
    const figure = result.failed ?? result.medianMs ?? result.ms_median ?? `${result.product_60k_s} s`;
    console.log(`round ${round}: ${label}: ${figure}`);
  });
  printTables(runs);
  if (json) writeFileSync(json, `${JSON.stringify({ cpu: cpus()[0]?.model, runs }, null, 2)}\n`);
}

/** @param {readonly Record<string, unknown>[]} runs each with `id`, `label` and what it measured, or `failed` */
function printTables(runs) {
  const good = runs.filter((run) => !run.failed);
  const of = (id, figure) => good.filter((run) => run.id === id).map((run) => figure(run));
  const stepOf = (run) => run.medianMs ?? run.ms_median;
  const inferenceOf = (run) => run.inferSeconds ?? run.infer_60k_s;

  const rows = [...new Map(good.map((run) => [run.id, run.label]))].map(([id, label]) => {
    const steps = of(id, stepOf).filter((value) => value !== undefined);
    const inferences = of(id, inferenceOf).filter((value) => typeof value === 'number');
    return {
      what: label,
      'ms a step': steps.length ? median(steps).toFixed(1) : '',
      range: steps.length ? `${Math.min(...steps).toFixed(1)}-${Math.max(...steps).toFixed(1)}` : '',
      rounds: of(id, stepOf).length,
      'load of the machine': median(of(id, (run) => run.load)).toFixed(1),
      '60,000 labelled in s': inferences.length ? median(inferences).toFixed(2) : '',
    };
  });
  console.table(rows);

  const ours = 'ours-2';
  const measured = AIMS.filter(({ id }) => of(id, stepOf).length > 0 && of(ours, stepOf).length > 0);
  const ratios = measured.map(({ id, aim }) => {
    const ratio = median(of(id, stepOf)) / median(of(ours, stepOf));
    const labelOf = (wanted) => good.find((run) => run.id === wanted).label;
    return {
      what: labelOf(ours),
      'faster than': labelOf(id),
      ratio: ratio.toFixed(2),
      aim,
      reached: ratio >= aim ? 'yes' : 'no',
    };
  });
  console.table(ratios);

  const products = of('product', (run) => run.product_60k_s);
  const labellings = of(ours, inferenceOf);
  if (products.length > 0 && labellings.length > 0) {
    const [product, labelling] = [median(products), median(labellings)];
    const ratio = `${(product / labelling).toFixed(2)} times as fast as TensorFlow's bare dense product (aim: 2)`;
    console.log(`labelling 60,000 images: ${labelling.toFixed(2)} s, ${ratio}, which takes ${product.toFixed(2)} s`);
  }
  for (const id of ['ours-2', 'ours-1', 'data-2', 'data-1']) {
    if (of(id, stepOf).length === 0) continue;
    const names = Object.keys(of(id, (run) => run.parts)[0]);
    const parts = names.map((name) => `${name} ${median(of(id, (run) => run.parts[name])).toFixed(2)}`);
    console.log(`${id}, ms: ${parts.join(', ')}`);
  }
}
