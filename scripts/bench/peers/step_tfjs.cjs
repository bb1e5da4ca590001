// The fine-tune step and the inference of 60,000 images in plain tfjs-node, as it is usually written.
// node step_tfjs.cjs [--threads N] [--steps N] [--warmup N] [--no-infer]; NODE_PATH: a node_modules with tfjs-node.
const { loadavg } = require('node:os');
const { parseArgs } = require('node:util');

const number = (usual) => ({ type: 'string', default: `${usual}` });
const { values } = parseArgs({
  options: {
    threads: number(2),
    steps: number(60),
    warmup: number(10),
    'no-infer': { type: 'boolean', default: false },
  },
});
const [threads, steps, warmup] = [values.threads, values.steps, values.warmup].map(Number);
process.env.TF_NUM_INTRAOP_THREADS = `${threads}`; // read when the library is loaded
process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
const tf = require('@tensorflow/tfjs-node');

const [INPUTS, HIDDEN, CLASSES, LABELLED, PSEUDO, ALPHA, NON_ZERO] = [784, 5000, 10, 32, 256, 3, 0.19];
const [INFERRED, BATCH] = [60_000, 2_000];

const { dense, dropout } = tf.layers;
const model = tf.sequential({
  layers: [
    dropout({ rate: 0.2, inputShape: [INPUTS] }),
    dense({ units: HIDDEN, activation: 'relu' }),
    dropout({ rate: 0.5 }),
    dense({ units: CLASSES }),
  ],
});
const optimizer = tf.train.adam(1e-3);
const uniform = (count) => tf.randomUniform([count, INPUTS]);
const images = (count) => tf.tidy(() => tf.mul(uniform(count), tf.less(uniform(count), NON_ZERO)));
const targets = (count) => tf.oneHot(tf.randomUniform([count], 0, CLASSES, 'int32'), CLASSES);
const [x, y, xPseudo, yPseudo] = [images(LABELLED), targets(LABELLED), images(PSEUDO), targets(PSEUDO)];

function step() {
  const loss = optimizer.minimize(() => {
    const lossOf = (rows, wanted) => tf.losses.softmaxCrossEntropy(wanted, model.apply(rows, { training: true }));
    return tf.add(lossOf(x, y), tf.mul(ALPHA, lossOf(xPseudo, yPseudo)));
  }, true);
  loss.dataSync();
  loss.dispose();
}

function infer(all) {
  for (let first = 0; first < INFERRED; first += BATCH)
    tf.tidy(() => tf.argMax(model.predict(tf.slice(all, [first, 0], [BATCH, INPUTS])), 1).dataSync());
}

function milliseconds(run) {
  const began = performance.now();
  run();
  return performance.now() - began;
}

const rounded = (value) => Math.round(value * 1000) / 1000;
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const times = Array.from({ length: warmup + steps }, () => milliseconds(step)).slice(warmup);
const all = values['no-infer'] ? undefined : images(INFERRED);
const passes = all ? [1, 2, 3].map(() => milliseconds(() => infer(all)) / 1000) : [];
console.log(
  JSON.stringify({
    ...{ peer: 'tfjs', threads, ms_median: rounded(median(times)), ms_min: rounded(Math.min(...times)) },
    ...{ ms_max: rounded(Math.max(...times)), infer_60k_s: all ? rounded(median(passes)) : null },
    ...{ version: tf.backend().binding.TF_Version, load_1m: rounded(loadavg()[0]) },
  }),
);
