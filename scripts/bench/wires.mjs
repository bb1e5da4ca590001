// The benchmark of what a wire costs in accuracy: the same steps of `pl --quick`, data parallel, over a coordinator and a node of one thread each, on
// loopback, by each wire, from the same random labels. Nothing is timed. npm run bench -- wires [--rounds 3: seeds]

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';

const LAUNCHER = fileURLToPath(new URL('../pseudolabel.mjs', import.meta.url));
const WIRES = ['f32', 'bf16'];
const VALIDATION = 5000;

/** @param {{rounds: number}} options a seed a round */
export async function benchWires({ rounds }) {
  const found = WIRES.map(() => []);
  for (let seed = 1; seed <= rounds; seed++) {
    for (const [i, wire] of WIRES.entries()) {
      const { validationAccuracy, steps } = await train(wire, seed);
      found[i].push(100 * validationAccuracy);
      console.log(`seed ${seed}: ${wire}: ${(100 * validationAccuracy).toFixed(2)} % after ${steps} steps`);
    }
  }
  console.table(
    WIRES.map((wire, i) => ({
      wire,
      ...Object.fromEntries(found[i].map((accuracy, s) => [`seed ${s + 1}`, accuracy.toFixed(2)])),
      mean: mean(found[i]).toFixed(2),
      'less than f32': mean(found[i].map((accuracy, s) => found[0][s] - accuracy)).toFixed(2),
    })),
  );
}

/** The result of one run. */
async function train(wire, seed) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-wires-'));
  const token = ['--token-file', join(folder, 'token')];
  const same = ['--seed', seed, '--split', 'random', '--split-seed', seed, '--validation', VALIDATION, '--no-test'];
  const where = ['--listen', 'ws://127.0.0.1:0', '--nodes', '1', '--workers', '1', '--shards', '2', '--wire', wire];
  const what = ['--scenario', 'pl', '--quick', '--strategy', 'data'];
  const out = ['--out', join(folder, 'run'), '--json', join(folder, 'result.json')];
  const coordinator = start(['train', ...what, ...same, ...where, ...token, ...out]);
  let node;
  try {
    const exit = once(coordinator, 'exit');
    const address = await joinAddress(coordinator);
    node = start(['worker', address, ...token, '--workers', '1']);
    node.stderr.resume();
    const [code] = await exit;
    if (code !== 0) throw new Error(`the run by ${wire} ended with ${code}`);
    return JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
  } finally {
    coordinator.kill('SIGKILL');
    node?.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

function start(args) {
  return spawn(process.execPath, [LAUNCHER, ...args.map(String)], {
    env: completed(process.env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Where a coordinator says that nodes join it. */
function joinAddress({ stderr }) {
  return new Promise((resolve, reject) => {
    let said = '';
    stderr.setEncoding('utf8').on('data', (text) => {
      said += text;
      const [address] = /ws:\/\/127\.0\.0\.1:\d+(?= )/.exec(said) ?? [];
      if (address) resolve(address);
    });
    stderr.on('end', () => reject(new Error(`the coordinator ended:\n${said}`)));
  });
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
