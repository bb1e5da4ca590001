// Predicts images by each network of an ensemble, in this thread, so that people see how far the networks agree.
import { createArena, floats } from '../engine/arena.js';
import { createEngine } from './engine.js';
import { savedWeights } from './layers/describe.js';
import { type LayersModel, membersOf, sizeOf } from './layers/model.js';
import { inputsOf, parameterCount, workspaceBytesOf } from './models.js';

/** The images of one pass. */
const BATCH = 64;

export interface MemberClasses {
  /** For each member, the likeliest class of each image. */
  readonly members: readonly Uint16Array[];
  /** The likeliest class by the mean of their probabilities. */
  readonly together: Uint16Array;
}

/**
 * Predicts images by each member. The model must have members. Throws E_MEMORY.
 * @param images bytes, as many of each as the model has inputs
 */
export async function memberClasses(
  model: LayersModel,
  parameters: Float32Array,
  images: readonly Uint8Array[],
): Promise<MemberClasses> {
  const sums = new Float32Array(images.length * model.classes);
  const members: Uint16Array[] = [];
  for (let member = 0; member < membersOf(model); member++)
    members.push(await classesOf(memberOf(model, parameters, member), images, sums));
  const together = Uint16Array.from(images, (_, i) => {
    const of = sums.subarray(i * model.classes, (i + 1) * model.classes);
    return of.indexOf(Math.max(...of));
  });
  return { members, together };
}

interface Member {
  readonly model: LayersModel;
  readonly parameters: Float32Array;
}

/** Returns one network of an ensemble as a model of its own. */
function memberOf(model: LayersModel, parameters: Float32Array, member: number): Member {
  const { members: _, ...single } = model;
  const own = new Float32Array(parameterCount(single));
  const places = savedWeights(single);
  const all = savedWeights(model).slice(member * places.length);
  for (const [w, { shape, offset }] of places.entries()) {
    const from = all[w]!.offset;
    own.set(parameters.subarray(from, from + sizeOf(shape)), offset);
  }
  return { model: single, parameters: own };
}

/** Predicts images by one member. sums: [images, classes], to which its probabilities are added. */
async function classesOf(
  { model, parameters }: Member,
  images: readonly Uint8Array[],
  sums: Float32Array,
): Promise<Uint16Array> {
  const arena = createArena({
    pixels: inputsOf(model),
    unlabelled: 0,
    evaluation: 0,
    parameterCount: parameters.length,
    shards: 1,
    workspaces: 1,
    workspaceBytes: workspaceBytesOf(model, BATCH, false),
  });
  floats(arena, 'parameters', parameters.length).set(parameters);
  const engine = createEngine(arena);
  await engine.prepare(model);
  const network = engine.network(model, BATCH, 0, false);
  const classes = new Uint16Array(images.length);
  for (let first = 0; first < images.length; first += BATCH) {
    const batch = images.slice(first, first + BATCH);
    network.loadBytes(Buffer.concat(batch));
    network.forward(undefined);
    const predicted = network.classify(batch.length);
    classes.set(predicted.classes, first);
    const probabilities = predicted.probabilities(1);
    for (let c = 0; c < model.classes; c++)
      for (let r = 0; r < batch.length; r++)
        sums[(first + r) * model.classes + c]! += probabilities[c * batch.length + r]!;
  }
  return classes;
}
