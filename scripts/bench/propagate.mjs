// Propagates 100 labels over MNIST once, on so many threads; prints the seconds of its parts as JSON. propagate.mjs WORKERS
import '../environment.mjs';
import { createHash } from 'node:crypto';
import { WrappedExecutor } from '../../dist/coordinator/executors/wrapped-executor.js';
import { Propagator } from '../../dist/coordinator/propagation.js';
import { Images } from '../../dist/src/data/images.js';
import { loadDataset } from '../../dist/src/data/load.js';
import { splitLabelled } from '../../dist/src/data/split.js';
import { createThreadExecutor } from '../../dist/worker/thread-executor.js';

const workers = Number(process.argv[2] ?? 2);
const dataset = await loadDataset({}, {});
const { labels, images, count } = dataset.train;
const { labelled } = splitLabelled(dataset, { perClass: 10, kind: 'first', splitSeed: 1, validation: 0 });
const node = await createThreadExecutor({
  shape: {
    pixels: 784,
    unlabelled: count,
    evaluation: 0,
    parameterCount: 16,
    shards: 1,
    workspaces: workers,
    workspaceBytes: 64,
  },
  images: { unlabelled: new Images(784, [{ store: images }]), evaluation: new Images(784, []) },
});
const seconds = { describe: 0, neighbours: 0, spread: 0 };
class Timed extends WrappedExecutor {
  describe(...of) {
    return timed('describe', () => this.inner.describe(...of));
  }
  neighbours(...of) {
    return timed('neighbours', () => this.inner.neighbours(...of));
  }
}
async function timed(part, work) {
  const began = performance.now();
  const result = await work();
  seconds[part] += (performance.now() - began) / 1000;
  return result;
}
const used = process.cpuUsage();
const began = performance.now();
const size = { height: 28, width: 28, channels: 1 };
const propagator = new Propagator(new Timed(node), { set: 'unlabelled', count, size });
const settings = {
  descriptors: [{ kind: 'hog', components: 64 }],
  neighbours: 5,
  spread: { alpha: 0.99, iterations: 60 },
  shares: new Array(10).fill(0.1),
};
// No network is asked: it only says how many classes there are.
const model = {
  kind: 'dense',
  layers: [{ inputs: 784, units: 10, dropout: 0 }],
  inputDropout: 0,
  objective: 'softmax',
};
const seeds = { positions: labelled, labels: Uint16Array.from(labelled, (row) => labels[row]) };
const found = await propagator.labels(model, settings, seeds);
const whole = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(used);
seconds.spread = whole - seconds.describe - seconds.neighbours;
const right = found.classes.reduce((sum, label, i) => sum + Number(label === labels[i]), 0) / count;
const sha256 = createHash('sha256').update(found.classes).update(new Uint8Array(found.weights.buffer)).digest('hex');
console.log(JSON.stringify({ seconds, whole, cpu: (user + system) / 1e6, right, sha256 }));
await node.close();
