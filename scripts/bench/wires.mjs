// The benchmark of what a wire costs in accuracy: the same steps of `pl --quick`, data parallel, over a coordinator and
// a node of one thread each, on loopback, by each wire, from the same random labels. Nothing is timed. npm run bench --
// wires [--rounds 3: seeds]

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { started } from './measuring.mjs';

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
  const coordinator = started(['train', ...what, ...same, ...where, ...token, ...out]);
  let node;
  try {
    const [address] = await coordinator.says(/ws:\/\/127\.0\.0\.1:\d+(?= )/);
    node = started(['worker', address, ...token, '--workers', '1']);
    await coordinator.ended();
    return JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
  } finally {
    coordinator.child.kill('SIGKILL');
    node?.child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
