// Trains on images, and shows how it goes: node examples/train.mjs [PATH]. Without a path on MNIST, with 100 labels.
import { loadDataset, train } from 'pseudolabel';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

// quick: a trial of a few hundred steps. model: 'convnet' learns more from few labels, in more time.
const data = await loadDataset(process.argv[2]);
const run = train({ data, model: 'dense:96', quick: true, workers: 2, signal: stop.signal });
for await (const event of run) {
  if (event.kind === 'stage') console.log(`${event.stage}: ${event.steps} steps`);
  if (event.kind === 'step' && event.step % 50 === 0) console.log(`step ${event.step}: loss ${event.loss.toFixed(4)}`);
}
const { model, accuracy, weightsSha256 } = await run.result; // model is a tf.LayersModel
console.log(`${model.countParams()} parameters, accuracy ${accuracy}, SHA-256 ${weightsSha256}`);
