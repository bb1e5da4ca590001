// Holds the model behind `pseudolabel scaling --simulate` against runs over links of a given rate: hosts that are
// network namespaces, with a core each, or a part of one in a time that passes as much more slowly (namespaces.mjs).
// Two stages of a real training: pre-training (256 rows, 31 MB of gradient) and supervised (32 rows, 16 MB), data
// parallel. The tree that the model also knows is not what a run does, so that nothing is said of it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulate } from '../../dist/src/scaling/simulate.js';
import { median, started } from './measuring.mjs';
import { openDilated, whyNoHosts } from './namespaces.mjs';

const STEPS = 24;
/** Steps of each stage that are not counted: nodes join, networks are built. */
const WARM = 8;
const STAGES = [
  { name: 'pre-training', parameters: 784 * 5000 + 5000 + 5000 * 784 + 784, taskBytes: 0 },
  { name: 'supervised', parameters: 784 * 5000 + 5000 + 5000 * 10 + 10, taskBytes: 32 * 785 },
];
/** In Gbit/s. */
const RATES = [1, 10];
/** Between two namespaces it is some 0.05 ms, next to what it takes to notice an arrival. */
const RTT_MS = 0.1;
const JOIN = /to join, on another machine.* (worker .*)/;

/** @param {{rounds: number, nodes?: readonly number[]}} options nodes: hosts in all, the coordinator's included */
export async function benchLinks({ rounds, nodes = [2, 4] }) {
  const why = whyNoHosts();
  if (why !== undefined) throw new Error(why);
  const folder = await mkdtemp(join(tmpdir(), 'pseudolabel-links-'));
  try {
    const found = [];
    for (let round = 0; round < rounds; round++) {
      // What one host does in a round is what the others of this round are predicted from.
      const { stages: one } = await measured(folder, 1, RATES[0]);
      for (const hosts of nodes) {
        for (const rate of RATES) {
          const { factor, stages: several } = await measured(folder, hosts, rate);
          for (const [s, { name, parameters, taskBytes }] of STAGES.entries()) {
            const { step, divided } = one[s];
            const cost = { divided, repeated: step - divided, sumBytes: 4 * parameters, taskBytes, answerBytes: 0 };
            const network = { nodes: hosts, bitsPerSecond: 1e9 * rate, rttMilliseconds: RTT_MS };
            const predicted = simulate(cost, network, 'strong').at(-1).milliseconds.star;
            found.push({ hosts, rate, name, factor, one: step, step: several[s].step / factor, predicted });
          }
          console.log(`round ${round + 1}: ${hosts} hosts, ${rate} Gbit/s`);
        }
      }
    }
    for (const line of linkLines(found)) console.log(line);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** @returns {string[]} the medians over the rounds of each case, and what the model misses */
function linkLines(found) {
  const errors = [];
  const lines = [...new Set(found.map(caseOf))].map((name) => {
    const runs = found.filter((each) => caseOf(each) === name);
    const ratio = median(runs.map(({ predicted, step }) => predicted / step));
    const of = (what) => median(runs.map((run) => run[what])).toFixed(1);
    errors.push(Math.abs(Math.log(ratio)));
    const note = runs[0].factor === 1 ? '' : `; slowed down ${runs[0].factor} times`;
    return `${name}: ${of('step')} ms a step, predicted ${of('predicted')} (${ratio.toFixed(2)} of it)${note}; one host: ${of('one')} ms`;
  });
  return [...lines, `the model is off by a factor of ${Math.exp(Math.max(...errors)).toFixed(2)} at most`];
}

const caseOf = ({ hosts, rate, name }) => `${hosts} hosts, ${rate} Gbit/s, ${name}`;

/** Milliseconds of a step of each stage, and of what is divided over hosts, as one of them was seen doing it. */
async function measured(folder, hosts, rate) {
  const { network, factor } = openDilated({ hosts, gigabits: rate });
  try {
    const [first, ...others] = network.hosts;
    const trace = join(folder, 'trace.json');
    const env = { XDG_STATE_HOME: join(folder, 'state') };
    const run = join(folder, `run-${hosts}-${rate}-${Date.now()}`);
    const steps = ['--scenario', 'dae', '--strategy', 'data', '--max-steps', `${STEPS}`, '--no-test'];
    const flags = [...steps, '--workers', '1', '--shards', `${hosts}`];
    const listening = others.length > 0 ? ['--listen', `${first.address}:7171`, '--nodes', `${others.length}`] : [];
    const files = ['--token-file', join(folder, 'token'), '--trace', trace, '--out', run];
    const onHost = ({ spawn }, args) => started(args, { spawn, env });
    const coordinator = onHost(first, [
      ...['train', ...flags, ...listening],
      ...(others.length > 0 ? files : files.slice(2)),
    ]);
    if (others.length > 0) {
      const [, line] = await coordinator.says(JOIN);
      for (const host of others) onHost(host, [...line.trim().split(' '), '--workers', '1', '--name', host.name]);
    }
    await coordinator.ended();
    return { factor, stages: stagesOf(JSON.parse(await readFile(trace, 'utf8')).traceEvents) };
  } finally {
    network.close();
  }
}

/** Of a trace's events, whose times are microseconds. */
function stagesOf(events) {
  return STAGES.map((_, stage) => {
    const of = (name) =>
      events.filter((event) => event.ph === 'X' && event.args.stage === stage && event.name === name);
    const starts = of('step')
      .filter(({ args }) => args.step >= WARM)
      .map(({ ts }) => ts);
    const steps = starts.slice(1).map((ts, i) => (ts - starts[i]) / 1e3);
    const parts = ['input', 'forward', 'backward'].map((name) =>
      median(
        of(name)
          .filter(({ args, cat }) => cat === 'part' && args.step >= WARM)
          .map(({ dur }) => dur / 1e3),
      ),
    );
    return { step: median(steps), divided: parts.reduce((sum, each) => sum + each, 0) };
  });
}
