// Label propagation over MNIST's 60,000 images by histograms of gradients: what one worker and two take for each part, in turns.

import { lastJson, ours } from './measuring.mjs';

const PARTS = ['describe', 'neighbours', 'spread'];

/** Prints seconds of each part, the speed-up of the parts that are shared, and their share of the whole. */
export async function benchGraph({ rounds }) {
  const found = { 1: [], 2: [] };
  for (let round = 0; round < rounds; round++)
    for (const workers of [1, 2]) found[workers].push(lastJson(await ours('propagate.mjs', workers)));
  const median = (workers, of) => found[workers].map(of).sort((a, b) => a - b)[rounds >> 1];
  const shared = ({ seconds }) => seconds.describe + seconds.neighbours;
  for (const workers of [1, 2]) {
    const whole = median(workers, ({ whole }) => whole);
    const parts = PARTS.map((part) => {
      const seconds = median(workers, (each) => each.seconds[part]);
      return `${part} ${seconds.toFixed(2)} s (${Math.round((100 * seconds) / whole)} %)`;
    });
    const cpu = median(workers, (each) => each.cpu);
    console.log(
      `${workers} worker${workers > 1 ? 's' : ''}: ${whole.toFixed(2)} s, of them ${parts.join(', ')}; ${cpu.toFixed(2)} s of processors`,
    );
  }
  const speedUp = median(1, shared) / median(2, shared);
  const sums = new Set([...found[1], ...found[2]].map(({ sha256 }) => sha256));
  console.log(
    `S(2) of describe and neighbours ${speedUp.toFixed(2)}, of the whole ${(median(1, (o) => o.whole) / median(2, (o) => o.whole)).toFixed(2)}`,
  );
  console.log(`labels right: ${(100 * found[1][0].right).toFixed(2)} %; the same bits: ${sums.size === 1}`);
}
