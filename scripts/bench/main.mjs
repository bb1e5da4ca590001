// The benchmarks. npm run bench -- [SUITE] [--rounds N] [--peers DIR] [--json FILE] [--only TEXT]; without a suite:
// step. npm run bench -- --memory shows the resident memory over 2,000 steps; --setup-peers makes the peers' Python
// environment.

import { parseArgs } from 'node:util';
import { benchCluster } from './cluster.mjs';
import { benchData } from './data.mjs';
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
  values: { rounds, peers, json, only, memory, 'setup-peers': setup },
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
const roundsOr = (usual) => Number(rounds ?? usual);

const SUITES = {
  /** Our fine-tune step and labelling, and those of the peers. */
  step: () => benchStep({ rounds: roundsOr(5), peers, json }),
  /** The four trainings of the report, against its own code. */
  report: () => benchReport({ rounds: roundsOr(5), peers }),
  /** Steps of the autoencoder, data parallel and tensor parallel. */
  pretrain: () => benchPretrain({ rounds: roundsOr(5) }),
  /** What metrics, trace and dashboard cost. */
  overhead: async () => console.log((await ours('overhead.mjs', roundsOr(15))).trim()),
  /** The model of clusters, against runs over links of 1 and 10 Gbit/s. Linux, root. */
  links: () => benchLinks({ rounds: roundsOr(3) }),
  /** A step over coordinator and nodes of one thread each, on every wire. */
  cluster: () => benchCluster({ rounds: roundsOr(5), json }),
  /** Tensor-parallel and data-parallel steps over links of 1 and 10 Gbit/s. Linux, root. */
  'tensor-links': () => benchTensorLinks({ rounds: roundsOr(3), only, json }),
  /** The accuracy that each wire leads to. */
  wires: () => benchWires({ rounds: roundsOr(3) }),
  /** Decoding pictures, against Pillow; and starting on pictures that were decoded before. */
  data: () => benchData({ rounds: roundsOr(3) }),
  /** A step by two ranks of MPI. */
  mpi: () => benchMpi({ rounds: roundsOr(3) }),
};

if (setup) setupPeers();
else if (memory) await measureMemory();
else if (suite in SUITES) await SUITES[suite]();
else throw new Error(`there is no benchmark ${suite}: choose ${Object.keys(SUITES).join(', ')}`);
