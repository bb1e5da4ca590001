// The benchmark of several machines: one training step over coordinator and nodes, each a process with one thread,
// interleaved in rounds. Links of a given rate need root and Linux (namespaces.mjs). npm run bench -- cluster [--rounds
// 5] [--json FILE]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contestant } from './contestant.mjs';
import { inTurns, median, quantile } from './measuring.mjs';
import { openNetwork, whyNoNetworks } from './namespaces.mjs';

const STEPS = 20;
/** A node dies in the middle of its gradients. */
const KILL_AFTER_MS = 8;

/** Nodes include the coordinator's own thread. */
const LOOPBACK = [
  { id: '1', label: '1 worker, no network', nodes: 1 },
  { id: '2', label: '2 nodes', nodes: 2 },
  { id: '2-tls', label: '2 nodes, TLS', nodes: 2, tls: true },
  { id: '2-bf16', label: '2 nodes, --wire bf16', nodes: 2, wire: 'bf16' },
  { id: '4', label: '4 nodes', nodes: 4 },
];

/** With TLS, as beyond one machine it is. Both hosts have the processors of this one. */
const LINKS = ['10gbit', '1gbit'].flatMap((rate) =>
  ['f32', 'bf16'].map((wire) => {
    const label = `2 nodes, TLS, ${rate.replace('gbit', ' Gbit/s')}${wire === 'f32' ? '' : `, --wire ${wire}`}`;
    return { id: `2-${rate}-${wire}`, label, nodes: 2, tls: true, wire, rate };
  }),
);

/** @param {{rounds: number, json: string | undefined}} options */
export async function benchCluster({ rounds, json }) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-cluster-'));
  const why = whyNoNetworks();
  if (why) console.log(`left out: links of 1 and 10 Gbit/s (${why})`);
  const networks = [];
  const entries = [...LOOPBACK, ...(why ? [] : LINKS)].map((entry) => {
    const network = entry.rate && openNetwork({ hosts: entry.nodes, rate: entry.rate });
    if (network) networks.push(network);
    const hosts = network?.hosts ?? [];
    return { ...entry, contestant: new Contestant({ ...entry, hosts }, folder), runs: [] };
  });
  try {
    for (const { contestant } of entries) await contestant.start();
    await inTurns(entries, rounds, async ({ label, runs, contestant }, round) => {
      const run = await contestant.order('steps', { count: STEPS });
      runs.push(run);
      console.log(`round ${round}: ${label}: ${median(run.milliseconds).toFixed(1)} ms`);
    });
    printTable(entries);
    const deaths = await recoveries(
      entries.find(({ id }) => id === '2'),
      folder,
      rounds,
    );
    console.log(
      `a node is killed ${KILL_AFTER_MS} ms into a step: its shard is computed again ${quartiles(deaths)} ms later`,
    );
    const runs = entries.map(({ id, label, runs }) => ({ id, label, runs }));
    if (json) writeFileSync(json, `${JSON.stringify({ cpu: cpus()[0]?.model, runs, deaths }, null, 2)}\n`);
  } finally {
    for (const { contestant } of entries) contestant.end();
    for (const network of networks) network.close();
    rmSync(folder, { recursive: true });
  }
}

function printTable(entries) {
  const times = ({ runs }) => runs.flatMap(({ milliseconds }) => milliseconds);
  const step = (entry) => median(times(entry));
  const fastest = (entry) => quantile(times(entry), 0.1);
  const alone = entries[0];
  // By rounds, whose contestants saw the same machine.
  const speedUp = ({ runs }) =>
    median(runs.map(({ milliseconds }, r) => median(alone.runs[r].milliseconds) / median(milliseconds)));
  console.table(
    entries.map((entry) => ({
      what: entry.label,
      'ms a step': step(entry).toFixed(1),
      'best tenth': fastest(entry).toFixed(1),
      ...partsOf(entry),
      'MB sent': (median(entry.runs.map(({ sent }) => sent)) / 1e6).toFixed(2),
      'MB received': (median(entry.runs.map(({ received }) => received)) / 1e6).toFixed(2),
      efficiency: (speedUp(entry) / entry.nodes).toFixed(2),
      'of best tenths': (fastest(alone) / fastest(entry) / entry.nodes).toFixed(2),
    })),
  );
  const [plain, tls] = ['2', '2-tls'].map((id) => entries.find((entry) => entry.id === id));
  console.log(`TLS costs ${(step(tls) - step(plain)).toFixed(1)} ms a step`);
}

/** Milliseconds: `exchange` is sums, totals, and waiting for them. */
function partsOf({ runs }) {
  const parts = runs.flatMap((run) => run.parts);
  const of = (name) => median(parts.map((part) => part[name])).toFixed(1);
  return { gradients: of('gradients'), exchange: of('exchange'), update: of('update') };
}

/** A new pair each time. */
async function recoveries(entry, folder, rounds) {
  const found = [];
  for (let round = 0; round < rounds; round++) {
    const contestant = round === 0 ? entry.contestant : new Contestant(entry, folder);
    try {
      if (round > 0) await contestant.start();
      // Milliseconds from the death of a node to the end of its shards' recomputation. The contestant is of no further
      // use.
      const order = { pid: contestant.workers.at(-1).pid, after: KILL_AFTER_MS };
      found.push((await contestant.order('kill', order)).milliseconds);
    } finally {
      contestant.end();
    }
  }
  return found;
}

const quartiles = (values) => [0, 0.5, 1].map((share) => quantile(values, share).toFixed(1)).join(' / ');
