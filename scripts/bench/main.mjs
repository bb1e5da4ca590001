// The benchmarks: `npm run bench -- --help` lists them.

import { parseArgs } from 'node:util';
import { benchCluster } from './cluster.mjs';
import { benchConvnet } from './convnet.mjs';
import { benchData } from './data.mjs';
import { benchGraph } from './graph.mjs';
import { benchLinks } from './links.mjs';
import { ours } from './measuring.mjs';
import { benchMpi } from './mpi.mjs';
import { setupPeers } from './peers.mjs';
import { benchPretrain } from './pretrain.mjs';
import { benchReport } from './report.mjs';
import { benchStep, measureMemory } from './step.mjs';
import { benchTensorLinks } from './tensor-links.mjs';
import { benchWires } from './wires.mjs';

const {
  values: { rounds, peers, json, only, memory, help, 'setup-peers': setup },
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
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const roundsOr = (usual) => Number(rounds ?? usual);

/** @type {Record<string, [what: string, run: () => unknown]>} */
const SUITES = {
  step: [
    'our fine-tune step and labelling, and those of the peers',
    () => benchStep({ rounds: roundsOr(5), peers, only, json }),
  ],
  report: [
    'the four trainings of the report, against its own code (--peers DIR)',
    () => benchReport({ rounds: roundsOr(5), peers }),
  ],
  pretrain: [
    'steps of the autoencoder, data parallel and tensor parallel',
    () => benchPretrain({ rounds: roundsOr(5) }),
  ],
  convnet: ['steps of convolutional networks, against Keras and PyTorch', () => benchConvnet({ rounds: roundsOr(5) })],
  overhead: [
    'what metrics, trace and dashboard cost',
    async () => console.log((await ours('overhead.mjs', roundsOr(15))).trim()),
  ],
  links: [
    'the model of clusters, against runs over links of 1 and 10 Gbit/s (Linux, root)',
    () => benchLinks({ rounds: roundsOr(3) }),
  ],
  cluster: [
    'a step over coordinator and nodes of one thread each, on every wire',
    () => benchCluster({ rounds: roundsOr(5), json }),
  ],
  'tensor-links': [
    'tensor-parallel and data-parallel steps over links of 1 and 10 Gbit/s (Linux, root)',
    () => benchTensorLinks({ rounds: roundsOr(3), only, json }),
  ],
  wires: ['the accuracy that each wire leads to', () => benchWires({ rounds: roundsOr(3) })],
  data: [
    'decoding pictures, against Pillow; and starting on pictures that were decoded before',
    () => benchData({ rounds: roundsOr(3) }),
  ],
  graph: [
    'labels that spread over a graph of 60,000 images, by one worker and by two',
    () => benchGraph({ rounds: roundsOr(3) }),
  ],
  mpi: ['a step by two ranks of MPI', () => benchMpi({ rounds: roundsOr(3) })],
};

const HELP = `npm run bench -- [SUITE] [OPTIONS]

Suites (step where none is given):
${Object.entries(SUITES)
  .map(([name, [what]]) => `  ${name.padEnd(14)}${what}`)
  .join('\n')}

Options:
  --rounds N      how often everything is measured, in turns
  --only TEXT     of tensor-links: what has TEXT in its name; of step: ids or parts of them, such as ours,torch-tuned
  --peers DIR     step scripts of peers (default: scripts/bench/peers)
  --json FILE     writes the figures of all rounds (step, cluster, tensor-links)
  --setup-peers   makes the Python environment of the peers (2 GB), and ends
  --memory        shows the resident memory over 2,000 steps, and ends
  --help          shows this`;

if (help) console.log(HELP);
else if (setup) setupPeers();
else if (memory) await measureMemory();
else if (suite in SUITES) await SUITES[suite][1]();
else throw new Error(`there is no benchmark ${suite}: choose ${Object.keys(SUITES).join(', ')}`);
