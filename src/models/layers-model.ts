// Converts between our models and those of TensorFlow.js, in memory. saved-model.ts does the same with files.
import type * as Tf from '@tensorflow/tfjs-node';
import { PseudolabelError } from '../errors.js';
import { MANIFEST, weightsOf } from './keras-weights.js';
import { describe, parametersIn } from './layers/describe.js';
import type { LayersModel } from './layers/model.js';
import { type TensorFlow, tensorFlow } from './layers/tensorflow.js';
import { filesOf, type SavedModel } from './saved-model.js';

type Artifacts = Parameters<NonNullable<ReturnType<TensorFlow['io']['fromMemory']>['save']>>[0];

/**
 * Returns the same model in TensorFlow.js. Its getUserDefinedMetadata() returns what model.json says. Throws E_NATIVE.
 */
export function toLayersModel({ model, parameters, meta }: SavedModel): Promise<Tf.LayersModel> {
  const { json, pieces } = filesOf(model, parameters, meta);
  const { modelTopology, weightsManifest, userDefinedMetadata } = json;
  const artifacts = {
    modelTopology,
    // The object is copied as a file would have it, because TensorFlow.js refuses members that are undefined.
    ...(userDefinedMetadata && { userDefinedMetadata: JSON.parse(JSON.stringify(userDefinedMetadata)) as object }),
    weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
    weightData: Uint8Array.from(Buffer.concat([...pieces])).buffer,
  };
  const tf = tensorFlow();
  return tf.loadLayersModel(tf.io.fromMemory(artifacts));
}

/**
 * Converts a program's own model, of layers that can be trained here, with its weights. The given model is not changed.
 * Throws E_MODEL.
 */
export async function fromLayersModel(
  given: Tf.LayersModel,
): Promise<{ readonly model: LayersModel; readonly parameters: Float32Array }> {
  let artifacts: Artifacts | undefined;
  const keep = async (saved: Artifacts) => {
    artifacts = saved;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' as const } };
  };
  await given.save({ save: keep });
  try {
    const { modelTopology, weightSpecs, weightData } = artifacts!;
    const weights = MANIFEST.safeParse([{ paths: ['weights.bin'], weights: weightSpecs }]);
    if (!weights.success) throw new RangeError('its weights are not all of 32-bit floats');
    const model = await describe(modelTopology);
    const buffers = Array.isArray(weightData) ? weightData : [weightData!];
    const bytes = Uint8Array.from(Buffer.concat(buffers.map((buffer) => new Uint8Array(buffer))));
    const parameters = parametersIn(model, weightsOf(weights.data), new Float32Array(bytes.buffer));
    if (!parameters.every(Number.isFinite)) throw new RangeError('it has weights that are not finite numbers');
    return { model, parameters };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const fix = 'give a Sequential or functional model of plain layers, with a unit for each class at its end';
    throw new PseudolabelError('E_MODEL', `${given.name} cannot be trained: ${error.message}`, fix, { cause: error });
  }
}
