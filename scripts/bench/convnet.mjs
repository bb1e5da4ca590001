// The benchmark of steps of convolutional networks: ours with one and two workers, Keras' and PyTorch's with one and two
// threads, interleaved. A figure is the best step of a round, since other processes only ever make steps slower. The processor's time of a step is what to compare on a busy machine.

import { fileURLToPath } from 'node:url';
import { inTurns, lastJson, median, ours, outputOf } from './measuring.mjs';
import { inherited, peersPython, TUNED_MALLOC } from './peers.mjs';

/** The networks, and the rows of their step. */
const NETWORKS = [
  ['peers', 512],
  ['convnet', 128],
];
const THREADS = [1, 2];
const STEPS = 8;
const WARMUP = 3;
const DEADLINE_MS = 300_000;

const pathOf = (script) => fileURLToPath(new URL(script, import.meta.url));

/** @param {{rounds: number}} options */
export async function benchConvnet({ rounds }) {
  const python = process.env.PSEUDOLABEL_PEERS_PYTHON ?? peersPython();
  if (!python) console.log('left out: Keras and PyTorch; run `npm run bench -- --setup-peers`');
  const byPython = async (script, env, ...args) => {
    const options = { env: { ...inherited(), PYTHONDONTWRITEBYTECODE: '1', ...env }, deadlineMs: DEADLINE_MS };
    return lastJson(await outputOf(python, [pathOf(script), ...args.map(String)], options));
  };
  for (const [network, rows] of NETWORKS) {
    const contestants = THREADS.flatMap((threads) => [
      [
        `pseudolabel, ${threads}`,
        async () => lastJson(await ours('our-convnet.mjs', network, rows, threads, STEPS, WARMUP)),
      ],
      ...(python
        ? [
            [`Keras, ${threads}`, () => byPython('peers/convnet_keras.py', {}, network, rows, threads, STEPS, WARMUP)],
            [
              `PyTorch, ${threads}`,
              () => byPython('peers/convnet_torch.py', TUNED_MALLOC, network, rows, threads, STEPS, WARMUP),
            ],
          ]
        : []),
    ]);
    const found = new Map(contestants.map(([label]) => [label, []]));
    await inTurns(contestants, rounds, async ([label, run], round) => {
      const { ms_min: best, cpu_ms: cpu } = await run();
      found.get(label).push({ best, cpu });
      console.log(
        `${network}, ${rows} rows, round ${round}: ${label}: ${best.toFixed(1)} ms, ${cpu.toFixed(1)} ms of the processor`,
      );
    });
    print(network, found);
  }
}

function print(network, found) {
  const of = (label, figure = 'best') => median((found.get(label) ?? []).map((each) => each[figure]));
  console.table(
    [...found].map(([label, figures]) => {
      const times = figures.map(({ best }) => best);
      return {
        [network]: label,
        'ms a step': of(label).toFixed(1),
        range: `${Math.min(...times).toFixed(1)}-${Math.max(...times).toFixed(1)}`,
        'ms of the processor': of(label, 'cpu').toFixed(1),
      };
    }),
  );
  const [one, two] = [of('pseudolabel, 1'), of('pseudolabel, 2')];
  console.log(`efficiency of two workers: ${(one / two / 2).toFixed(2)} (aim 0.9)`);
  if (!found.has('Keras, 2')) return;
  const fastest = Math.min(of('Keras, 2'), of('PyTorch, 2'));
  console.log(`two workers against the faster peer with two threads: ${(fastest / two).toFixed(2)} (aim 1.2)`);
  console.log(`one worker against Keras with one thread: ${(of('Keras, 1') / one).toFixed(2)}`);
}
