// A coordinator to be measured, with one thread of its own: its parent says over IPC when nodes are there to wait for,
// how many steps to do, and which node to kill in one. node cluster-coordinator.mjs
// '{"nodes":1,"listen":"127.0.0.1","tls":false,"wire":"f32","strategy":"data","folder":DIR}'

import { join } from 'node:path';
import { openSession } from '../../dist/coordinator/compose.js';
import { ClusterExecutor } from '../../dist/coordinator/executors/cluster/cluster-executor.js';
import { ensureCertificate, ensureToken } from '../../dist/coordinator/server/secrets.js';
import { listen } from '../../dist/coordinator/server/server.js';
import { numericsFingerprint } from '../../dist/src/models/fingerprint.js';
import { TO_COORDINATOR, TO_NODE } from '../../dist/src/protocol/cluster-messages.js';
import { fineTune, resolved, watch, watchPhases } from './fine-tune.mjs';

const { nodes, listen: host, tls, wire, strategy, folder } = JSON.parse(process.argv[2]);
const PATIENCE_MS = 60_000;

/** A cluster where there are nodes; without any, what a run on one machine has. */
let cluster;
const run = await resolved({ workers: 1, shards: nodes + 1, strategy, wire });
const session = await openSession([run], undefined, (node) => {
  if (nodes === 0) return node;
  const nothing = () => undefined;
  const told = ['joined', 'left', 'fellBehind', 'caughtUp', 'gathering', 'waiting', 'slower'];
  const listener = { ...Object.fromEntries(told.map((what) => [what, nothing])), refused: (_, reason) => fail(reason) };
  const rules = { fingerprint: numericsFingerprint(), numerics: 'f32', allowMixed: false, patienceMs: PATIENCE_MS };
  cluster = new ClusterExecutor(node, { ...rules, computes: true, checksumEvery: 100, wire, listener });
  return cluster;
});
const { local, dispatcher } = session;
const { model, step: doStep } = fineTune(run, dispatcher);

const server = cluster && (await openServer());
process.send({ address: server?.address, fingerprint: server?.fingerprint });
await cluster?.machines.waitFor(nodes, PATIENCE_MS);
await dispatcher.label(model);

/** When this machine last ended gradients that it was asked for. */
let computed = 0;
/** Of the step in progress: until all nodes have computed, and the update here. */
const parts = { gradients: 0, update: 0 };
watch(local, 'computeGradients', () => {
  computed = performance.now();
});
watchPhases(cluster ?? local, (phase, milliseconds) => {
  if (phase === 'gradients' || !cluster) parts[phase] = milliseconds;
});
if (cluster) {
  watch(local, 'updateByTotal', (milliseconds) => {
    parts.update = milliseconds;
  });
}

let step = 0;
async function timedStep() {
  const began = performance.now();
  await doStep(step++);
  const whole = performance.now() - began;
  return { ...parts, step: whole, exchange: whole - parts.gradients - parts.update };
}

/** Bytes to and from all nodes that are there. */
function traffic() {
  const each = cluster?.status().nodes ?? [];
  const total = (of) => each.reduce((sum, node) => sum + node[of], 0);
  return { sent: total('bytesSent'), received: total('bytesReceived') };
}

const ORDERS = {
  /**
   * milliseconds: of each step; parts: of each step, each part. sent, received: bytes by step. mean: milliseconds of
   * all by their number.
   */
  async steps({ count }) {
    const before = traffic();
    const parts = [];
    const began = performance.now();
    for (let s = 0; s < count; s++) parts.push(await timedStep());
    const mean = (performance.now() - began) / count;
    const after = traffic();
    const bytes = (of) => (after[of] - before[of]) / count;
    const milliseconds = parts.map(({ step }) => step);
    return { milliseconds, mean, parts, sent: bytes('sent'), received: bytes('received') };
  },
  /** milliseconds: until the whole state is here, as it is before a checkpoint. */
  async fetch() {
    const began = performance.now();
    await dispatcher.read(model);
    return { milliseconds: performance.now() - began };
  },
  /**
   * milliseconds: from the death of a node, `after` ms into a step, to the end of the shards that others computed for
   * it.
   */
  async kill({ pid, after }) {
    const stepping = timedStep();
    await new Promise((resolve) => setTimeout(resolve, after));
    const killed = performance.now();
    process.kill(pid, 'SIGKILL');
    await stepping;
    return { milliseconds: computed - killed, stepEnded: performance.now() - killed };
  },
  async close() {
    server?.close();
    await session.close();
    return {};
  },
};

process.on('message', async ({ order, ...options }) => {
  try {
    process.send(await ORDERS[order](options));
    if (order === 'close') process.disconnect();
  } catch (error) {
    fail(error);
  }
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });

async function openServer() {
  const identity = tls ? { tls: await ensureCertificate(join(folder, 'coordinator.pem')) } : { insecure: true };
  const token = await ensureToken(join(folder, 'token'));
  const opened = await listen({ host, ...identity, token, tables: { outgoing: TO_NODE, incoming: TO_COORDINATOR } });
  void (async () => {
    for await (const channel of opened.arrivals) void cluster.admit(channel);
  })();
  return opened;
}

function fail(error) {
  console.error(error);
  process.exit(1);
}
