// Translates between a dense network and the topology of a tf.LayersModel: a Sequential of Dense and Dropout layers.
import { z } from 'zod';
import type { DenseModel } from './dense/model.js';

/** What a topology says about a model. The numbers of inputs are in the shapes of its weights. */
export interface Stack {
  readonly inputDropout: number;
  readonly layers: readonly { readonly name: string; readonly units: number; readonly dropout: number }[];
  /**
   * The function of the output. A topology does not say whether sigmoids were trained towards labels or towards their
   * inputs.
   */
  readonly output: OutputFunction;
}

export type OutputFunction = 'softmax' | 'sigmoid';

export const outputOf = ({ objective }: DenseModel): OutputFunction =>
  objective === 'softmax' ? 'softmax' : 'sigmoid';

/** Returns the names that topologyOf gives to the Dense layers. */
export const denseNames = ({ layers }: DenseModel): string[] => layers.map((_, l) => `dense_${l + 1}`);

/** Returns the modelTopology of a model.json. */
export function topologyOf(model: DenseModel): object {
  const layers: { class_name: string; config: Record<string, unknown> }[] = [];
  const add = (class_name: string, name: string, config: object): void => {
    const input = layers.length === 0 ? { batch_input_shape: [null, model.layers[0]?.inputs] } : {};
    layers.push({ class_name, config: { name, trainable: true, dtype: 'float32', ...input, ...config } });
  };
  const names = denseNames(model);
  if (model.inputDropout > 0) add('Dropout', 'input_dropout', { rate: model.inputDropout });
  model.layers.forEach(({ units, dropout }, l) => {
    const activation = l === model.layers.length - 1 ? outputOf(model) : 'relu';
    add('Dense', names[l]!, { units, activation, use_bias: true });
    if (dropout > 0) add('Dropout', `${names[l]}_dropout`, { rate: dropout });
  });
  return { class_name: 'Sequential', config: { name: 'pseudolabel', layers }, backend: 'tensor_flow.js' };
}

const DENSE = z.looseObject({
  class_name: z.literal('Dense'),
  config: z.looseObject({
    name: z.string(),
    units: z.int().positive(),
    activation: z.enum(['relu', 'softmax', 'sigmoid']),
    use_bias: z.literal(true).default(true),
  }),
});
const DROPOUT = z.looseObject({
  class_name: z.literal('Dropout'),
  config: z.looseObject({ rate: z.number().nonnegative().lt(1) }),
});
/** These layers have no effect, because images are already vectors of pixels, row by row. */
const NO_EFFECT = z.looseObject({ class_name: z.enum(['Flatten', 'InputLayer']) });
const LAYER = z.discriminatedUnion('class_name', [DENSE, DROPOUT, NO_EFFECT], {
  error: 'only Dense, Dropout, Flatten and InputLayer can be used',
});
const SEQUENTIAL = z.looseObject({
  class_name: z.literal('Sequential', { error: 'only a Sequential model can be used' }),
  config: z.looseObject({ layers: z.array(LAYER) }),
});

/** Reads the modelTopology of a model.json, which Keras' converter wraps in another object, into a Stack. */
export const TOPOLOGY = z
  .preprocess((topology) => (hasModelConfig(topology) ? topology.model_config : topology), SEQUENTIAL)
  .transform(({ config }, context): Stack => {
    const problem = (message: string) => {
      context.issues.push({ code: 'custom', message, input: config });
      return z.NEVER;
    };
    const dense: (z.infer<typeof DENSE>['config'] & { dropout: number })[] = [];
    let inputDropout = 0;
    for (const layer of config.layers) {
      if (layer.class_name === 'Dense') dense.push({ ...layer.config, dropout: 0 });
      if (layer.class_name !== 'Dropout') continue;
      const before = dense.at(-1);
      if ((before?.dropout ?? inputDropout) > 0)
        return problem('two Dropout layers one after the other cannot be used');
      if (before === undefined) inputDropout = layer.config.rate;
      else before.dropout = layer.config.rate;
    }
    const output = dense.at(-1)?.activation;
    if (output === undefined || output === 'relu') return problem('the last layer must be softmax or sigmoid');
    if (dense.slice(0, -1).some(({ activation }) => activation !== 'relu'))
      return problem('hidden layers must be relu');
    return { inputDropout, layers: dense.map(({ name, units, dropout }) => ({ name, units, dropout })), output };
  });

function hasModelConfig(topology: unknown): topology is { model_config: unknown } {
  return typeof topology === 'object' && topology !== null && 'model_config' in topology;
}
