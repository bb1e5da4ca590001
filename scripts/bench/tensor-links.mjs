// The benchmark of `--strategy tensor` over ordinary networks: a fine-tune step (32 + 256 rows) over one, two and four
// hosts of one core each, whose links have 1 or 10 Gbit/s, beside data-parallel on the same links. Four hosts need no
// four cores (namespaces.mjs). Linux, root. npm run bench -- tensor-links [--rounds 3] [--only TEXT] [--json FILE]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contestant } from './contestant.mjs';
import { roundTrip } from './delay.mjs';
import { inTurns, median } from './measuring.mjs';
import { atWorst, openDilated, whyNoHosts } from './namespaces.mjs';

/** Of a block that is timed: what data-parallel takes for a step over 1 Gbit/s is long. */
const STEPS = { tensor: 64, data: 6 };
/**
 * Steps between two times that the state of all tensor shards is fetched
 * (coordinator/executors/cluster/cluster-executor.ts).
 */
const FETCHED_EVERY = 256;
/**
 * Of a round trip. To data-parallel steps, which take hundreds of times as long, it makes no difference, and megabytes
 * cost a relay time.
 */
const LINKS = [
  { gigabits: 1, rtt: 0.2, aim: 0.6 },
  { gigabits: 10, rtt: 0, aim: 0.8 },
];

const nameOf = ({ gigabits, rtt }) => `${gigabits} Gbit/s${rtt > 0 ? `, ${rtt} ms` : ''}`;

const ENTRIES = [
  ...['tensor', 'data'].map((strategy) => ({ strategy, hosts: 1, label: `${strategy}, 1 host` })),
  ...LINKS.flatMap(({ aim, ...link }) => {
    const over = (strategy, hosts, also = {}) => {
      const { what = '', ...options } = also;
      const of = { ...link, ...options };
      return { label: `${strategy}, ${hosts} hosts, ${nameOf(of)}${what}`, strategy, hosts, tls: true, ...of };
    };
    return [
      over('tensor', 2),
      over('tensor', 2, { cores: 1, what: ' (control: on one core)' }),
      over('tensor', 4, { aim }),
      over('tensor', 4, { tls: false, what: ', --insecure' }),
      over('data', 2, { rtt: 0 }),
      over('data', 4, { rtt: 0 }),
    ];
  }),
];

/**
 * @param {{rounds: number, only?: string, json?: string}} options only: hosts, links or strategy to be measured besides
 * one host
 */
export async function benchTensorLinks({ rounds, only = '', json }) {
  const why = whyNoHosts();
  if (why) return void console.log(`skipped: ${why}`);
  const folder = mkdtempSync(join(tmpdir(), 'bench-tensor-links-'));
  const wanted = ENTRIES.filter(({ hosts, label }) => label.includes(only) || hosts === 1);
  const entries = wanted.map((entry) => opened(entry, folder));
  try {
    for (const { strategy, contestant } of entries) {
      await contestant.start();
      await contestant.order('steps', { count: STEPS[strategy] });
    }
    await inTurns(entries, rounds, async (entry, round) => {
      entry.runs.push(await measured(entry));
      console.log(`round ${round}: ${entry.label}: ${entry.runs.at(-1).step.toFixed(1)} ms`);
    });
    const rows = entries.map((entry) => ({ ...entry, ...resultOf(entry, entries) }));
    printTable(rows);
    for (const line of controls(rows)) console.log(line);
    for (const entry of entries) if (entry.contestant.delay > 0) console.log(await delayLine(entry));
    if (json) writeFileSync(json, `${JSON.stringify({ cpu: cpus()[0]?.model, rows: rows.map(plain) }, null, 2)}\n`);
  } finally {
    for (const { contestant, network } of entries) {
      contestant.end();
      network.close();
    }
    rmSync(folder, { recursive: true });
  }
}

function opened(entry, folder) {
  const { hosts, strategy, gigabits = 1, rtt = 0, cores } = entry;
  const { network, factor } = openDilated({ hosts, gigabits, cores, short: strategy === 'tensor' });
  const options = { ...entry, nodes: hosts, hosts: network.hosts, delay: (factor * rtt) / 2 };
  return { ...entry, factor, network, contestant: new Contestant(options, folder), runs: [] };
}

/**
 * Milliseconds as on hosts with a core each. step: with its part of fetching the state; main: of the busiest main
 * threads.
 */
async function measured({ contestant, strategy, hosts, factor }) {
  const count = STEPS[strategy];
  const before = contestant.mainThreads();
  const { mean, sent, received } = await contestant.order('steps', { count });
  const [coordinator, ...nodes] = contestant.mainThreads().map((now, i) => (now - before[i]) / 1e6 / count);
  const isElsewhere = strategy === 'tensor' && hosts > 1;
  const fetch = isElsewhere ? (await contestant.order('fetch')).milliseconds / FETCHED_EVERY : 0;
  const main = coordinator + Math.max(0, ...nodes);
  const step = (mean + fetch) / factor;
  return { step, worst: atWorst(mean + fetch, main, factor) / factor, fetch: fetch / factor, main, sent, received };
}

/** Medians; of ratios by rounds, whose contestants saw the same machine. */
function resultOf({ strategy, hosts, runs }, entries) {
  const alone = entries.find((entry) => entry.strategy === strategy && entry.hosts === 1).runs;
  const of = (figure) => median(runs.map(figure));
  const speedUp = of(({ step }, r) => alone[r].step / step);
  return {
    step: of(({ step }) => step),
    fetch: of(({ fetch }) => fetch),
    main: of(({ main }) => main),
    bytes: of(({ sent, received }) => sent + received),
    speedUp,
    efficiency: speedUp / hosts,
    atWorst: of(({ worst }, r) => alone[r].step / worst) / hosts,
  };
}

function printTable(rows) {
  console.table(
    rows.map(({ label, factor, step, fetch, bytes, speedUp, efficiency, atWorst, aim }) => ({
      what: label,
      'slowed down': factor,
      'ms a step': step.toFixed(1),
      'of it fetching': fetch.toFixed(1),
      'KB a step': (bytes / 1e3).toFixed(0),
      'faster than one': speedUp.toFixed(2),
      efficiency: efficiency.toFixed(2),
      'at worst': atWorst.toFixed(2),
      aim: aim ?? '',
    })),
  );
}

/** Of two hosts on two cores, and on one where all takes twice as long. */
function controls(rows) {
  return rows
    .filter(({ cores }) => cores !== undefined)
    .map(({ label, efficiency, atWorst, strategy, hosts, gigabits }) => {
      const isWhole = (row) => row.factor === 1 && row.strategy === strategy && row.gigabits === gigabits;
      const whole = rows.find((row) => row.hosts === hosts && isWhole(row));
      const dilated = `${efficiency.toFixed(2)} (at worst ${atWorst.toFixed(2)})`;
      return `${label}: efficiency ${dilated}, on two cores ${whole ? whole.efficiency.toFixed(2) : 'not measured'}`;
    });
}

/** Programs, kernel and relay take time besides the delay. */
async function delayLine({ label, factor, rtt, network: { hosts }, contestant: { delay } }) {
  const [without, through] = [await roundTrip(hosts, 0), await roundTrip(hosts, delay)];
  const measured = `${without.toFixed(2)} ms without the relay, ${through.toFixed(2)} through it`;
  return `${label}: a byte there and back takes ${measured}, ${(factor * rtt).toFixed(1)} more being wanted`;
}

const plain = ({ contestant: _, network: __, ...row }) => row;
