// Predicts the classes of images with a trained model, on threads of its own.
import type { ImageSize } from '../src/data/augmentation.js';
import type { ImageStore } from '../src/data/image-store.js';
import { Images } from '../src/data/images.js';
import { shardRange } from '../src/data/shards.js';
import type { Propagation } from '../src/methods/method.js';
import { inputsOf, outputsOf, workspaceBytesOf } from '../src/models/models.js';
import { PREDICT_ROWS } from '../src/models/predict.js';
import type { SavedModel } from '../src/models/saved-model.js';
import type { RunnersUp } from '../src/models/tasks.js';
import { LATER } from '../src/training/presets/modern.js';
import { createThreadExecutor, type ThreadExecutor } from '../worker/thread-executor.js';
import { Propagator, type SearchListener, type Seeds } from './propagation.js';

/** The likeliest class of each image with its output, and the second likeliest. */
export interface Classified {
  readonly classes: Uint16Array;
  readonly confidences: Float32Array;
  readonly runnersUp: RunnersUp;
}

/**
 * Images of a prediction task. It does not depend on the number of workers, because the size of a batch may change the
 * last bit of a confidence.
 */
const IMAGES_A_RANGE = 4 * PREDICT_ROWS;

export class Predictor {
  private constructor(
    private readonly executor: ThreadExecutor,
    private readonly model: SavedModel['model'],
    private readonly images: number,
  ) {}

  /**
   * Starts threads for these images.
   * @param images each has as many bytes as the model has inputs
   */
  static async open({ model, parameters }: SavedModel, images: ImageStore, workers: number): Promise<Predictor> {
    const shape = {
      pixels: inputsOf(model),
      unlabelled: 0,
      evaluation: images.count,
      parameterCount: parameters.length,
      shards: 1, // nothing is trained
      workspaces: workers,
      workspaceBytes: workspaceBytesOf(model, PREDICT_ROWS, false),
    };
    const none = new Images(shape.pixels, []);
    const evaluation = new Images(shape.pixels, [{ store: images }]);
    const executor = await createThreadExecutor({ shape, images: { unlabelled: none, evaluation } });
    executor.write({ parameters });
    return new Predictor(executor, model, images.count);
  }

  get workers(): number {
    return this.executor.workers;
  }

  async classify(): Promise<Classified> {
    const { executor, model, images } = this;
    const count = Math.max(1, Math.ceil(images / IMAGES_A_RANGE));
    const ranges = Array.from({ length: count }, (_, range) => shardRange(images, count, range));
    const results = await executor.predict(model, 'evaluation', ranges, { withRunnersUp: true });
    const all: Classified = {
      classes: new Uint16Array(images),
      confidences: new Float32Array(images),
      runnersUp: { classes: new Uint16Array(images), confidences: new Float32Array(images) },
    };
    for (const [range, { classes, confidences, runnersUp }] of results.entries()) {
      const [start] = ranges[range]!;
      all.classes.set(classes, start);
      all.confidences.set(confidences, start);
      all.runnersUp.classes.set(runnersUp!.classes, start);
      all.runnersUp.confidences.set(runnersUp!.confidences, start);
    }
    return all;
  }

  /**
   * Spreads known labels over the images. The graph uses the model's features and probabilities and histograms of
   * gradients, as in training (docs/label-propagation.md). Throws E_CONFIG, E_MEMORY.
   * @param shares the shares of the classes that labels are held to; predicted: the shares among the model's
   * predictions; undefined: labels are held to none
   */
  async propagate(
    seeds: Seeds,
    size: ImageSize,
    shares: Propagation['shares'],
    told?: SearchListener,
  ): Promise<Classified> {
    const { executor, model, images: count } = this;
    const propagator = new Propagator(executor, { set: 'evaluation', count, size });
    return rankedOf(await propagator.distributions(model, { ...LATER, shares }, seeds, told), outputsOf(model));
  }

  close(): Promise<void> {
    return this.executor.close();
  }
}

/** Returns the likeliest and the second likeliest class of each distribution. Of equal classes the first one wins. */
function rankedOf(q: Float64Array, classes: number): Classified {
  const images = q.length / classes;
  const first = { classes: new Uint16Array(images), confidences: new Float32Array(images) };
  const second = { classes: new Uint16Array(images), confidences: new Float32Array(images) };
  for (let image = 0; image < images; image++) {
    const of = q.subarray(image * classes, (image + 1) * classes);
    let [best, next] = [0, -1];
    for (let c = 1; c < classes; c++) {
      if (of[c]! > of[best]!) [best, next] = [c, best];
      else if (next < 0 || of[c]! > of[next]!) next = c;
    }
    first.classes[image] = best;
    first.confidences[image] = of[best]!;
    if (next < 0) continue; // a single class has no second
    second.classes[image] = next;
    second.confidences[image] = of[next]!;
  }
  return { ...first, runnersUp: second };
}
