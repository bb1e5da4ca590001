// The benchmark: our fine-tune step, our labelling and the peers', interleaved in one run, as a table of medians and ratios and as JSON.
// npm run bench -- [SUITE] [--rounds 5] [--peers DIR] [--json FILE] [--memory] [--setup-peers]
// Suites: report, the four trainings against the report's own code; pretrain, steps of the autoencoder data parallel and tensor parallel;
// overhead, what metrics, trace and dashboard cost; links, the model of clusters against runs over links of 1 and 10 Gbit/s (Linux,
// root); cluster, a step over coordinator and nodes, each with one thread, on every wire; wires, the accuracy that each of them comes to; tensor-links, a tensor-parallel step
// and data parallel over hosts with such links; mpi, a step by two ranks.

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { multipliesBf16 } from '../../dist/coordinator/executors/numerics.js';
import { completed } from '../environment.mjs';
import { benchCluster } from './cluster.mjs';
import { benchLinks } from './links.mjs';
import { benchMpi } from './mpi.mjs';
import { findPeers, runPeer } from './peers.mjs';
import { setupPeers } from './peers-setup.mjs';
import { benchPretrain } from './pretrain.mjs';
import { runGroup } from './process-group.mjs';
import { benchReport } from './report.mjs';
import { overheadLines, printTables } from './tables.mjs';
import { benchTensorLinks } from './tensor-links.mjs';
import { benchWires } from './wires.mjs';

const {
  values: options,
  positionals: [suite = 'step'],
} = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    peers: { type: 'string' },
    json: { type: 'string' },
    only: { type: 'string' },
    memory: { type: 'boolean', default: false },
    'setup-peers': { type: 'boolean', default: false },
  },
});

/** Runs one of our measuring scripts in a process of its own. */
async function ours(script, ...args) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { output, errors, end } = await runGroup(process.execPath, [path, ...args.map(String)], {
    env: completed(process.env),
    deadlineMs: 600_000,
  });
  if (end !== 'exit code 0') throw new Error(`${script}: ${end}\n${errors}`);
  return JSON.parse(output.trim().split('\n').at(-1));
}

async function measureMemory() {
  const { memory_mib: samples } = await ours('our-step.mjs', 2, 'tensor', 'f32', 2000);
  console.log(`resident memory over 2,000 steps, every 200 steps, MiB: ${samples.join(' ')}`);
}

async function compare() {
  const { available, missing } = await findPeers({ dir: options.peers });
  for (const { label, why } of missing) console.log(`left out: ${label} (${why})`);
  const bf16 = (workers, strategy) => () => ours('our-step.mjs', workers, strategy, 'bf16');
  const contestants = [
    { id: 'ours-2', label: 'pseudolabel, 2 workers', run: () => ours('our-step.mjs', 2, 'tensor') },
    { id: 'ours-1', label: 'pseudolabel, 1 worker', run: () => ours('our-step.mjs', 1, 'tensor') },
    { id: 'data-2', label: 'pseudolabel, 2 workers, data-parallel', run: () => ours('our-step.mjs', 2, 'data') },
    { id: 'data-1', label: 'pseudolabel, 1 worker, data-parallel', run: () => ours('our-step.mjs', 1, 'data') },
    ...(multipliesBf16()
      ? [
          { id: 'bf16-2', label: 'pseudolabel, 2 workers, bf16', run: bf16(2, 'tensor') },
          { id: 'bf16-1', label: 'pseudolabel, 1 worker, bf16', run: bf16(1, 'tensor') },
          { id: 'bf16-data-2', label: 'pseudolabel, 2 workers, data-parallel, bf16', run: bf16(2, 'data') },
        ]
      : []),
    { id: 'product', label: 'bare product, 2 threads', run: () => ours('bare-product.mjs', 2) },
    ...available.map((peer) => ({ id: peer.id, label: peer.label, run: () => runPeer(peer) })),
  ];
  const runs = [];
  for (let round = 1; round <= Number(options.rounds ?? 5); round++) {
    // Every round begins with another, so that none always runs on a machine that has just been idle.
    for (let i = 0; i < contestants.length; i++) {
      const { id, label, run } = contestants[(i + round) % contestants.length];
      const result = await run().catch((error) => ({ failed: error.message }));
      runs.push({ round, id, label, ...result });
      const figure = result.failed ?? result.medianMs ?? result.ms_median ?? `${result.product_60k_s} s`;
      console.log(`round ${round}: ${label}: ${figure}`);
    }
  }
  printTables(runs);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ cpu: cpus()[0]?.model, runs }, null, 2)}\n`);
}

async function measureOverhead() {
  const result = await ours('overhead.mjs', options.rounds ?? 15);
  for (const line of overheadLines(result)) console.log(line);
}

const SUITES = {
  step: compare,
  report: () => benchReport({ rounds: Number(options.rounds ?? 5), peers: options.peers }),
  pretrain: () => benchPretrain({ rounds: Number(options.rounds ?? 5) }),
  overhead: measureOverhead,
  links: () => benchLinks({ rounds: Number(options.rounds ?? 3) }),
  cluster: () => benchCluster({ rounds: Number(options.rounds ?? 5), json: options.json }),
  'tensor-links': () =>
    benchTensorLinks({ rounds: Number(options.rounds ?? 3), only: options.only, json: options.json }),
  wires: () => benchWires({ rounds: Number(options.rounds ?? 3) }),
  mpi: () => benchMpi({ rounds: Number(options.rounds ?? 3) }),
};

if (options['setup-peers']) await setupPeers();
else if (options.memory) await measureMemory();
else if (suite in SUITES) await SUITES[suite]();
else throw new Error(`there is no benchmark ${suite}: choose ${Object.keys(SUITES).join(', ')}`);
