// Draws the initial values of weights as Keras' initialisers define them, from our own streams, so that every machine
// has the same bits.
import { z } from 'zod';
import type { Stream } from '../../random.js';

const finite = z.number().min(-1e9).max(1e9);
const scale = z.number().positive().max(1e9);

/** The initialisers, named as in Keras. VarianceScaling includes the Glorot, He and Lecun initialisers. */
export const initialiserSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), value: finite }),
  z.strictObject({ kind: z.literal('uniform'), low: finite, high: finite }),
  z.strictObject({ kind: z.literal('normal'), mean: finite, deviation: scale, truncated: z.boolean() }),
  z.strictObject({
    kind: z.literal('variance-scaling'),
    scale,
    mode: z.enum(['fanIn', 'fanOut', 'fanAvg']),
    distribution: z.enum(['uniform', 'normal']),
  }),
]);
export type Initialiser = z.infer<typeof initialiserSchema>;

type VarianceScaling = Extract<Initialiser, { kind: 'variance-scaling' }>;
const scaled = (
  scale: number,
  mode: VarianceScaling['mode'],
  distribution: VarianceScaling['distribution'],
): VarianceScaling => ({ kind: 'variance-scaling', scale, mode, distribution });

/** Returns Keras' default initialiser of a kernel. */
export const glorot = (): Initialiser => scaled(1, 'fanAvg', 'uniform');

const NAMED: Readonly<Record<string, VarianceScaling>> = {
  GlorotUniform: scaled(1, 'fanAvg', 'uniform'),
  GlorotNormal: scaled(1, 'fanAvg', 'normal'),
  HeUniform: scaled(2, 'fanIn', 'uniform'),
  HeNormal: scaled(2, 'fanIn', 'normal'),
  LeCunUniform: scaled(1, 'fanIn', 'uniform'),
  LeCunNormal: scaled(1, 'fanIn', 'normal'),
  LecunUniform: scaled(1, 'fanIn', 'uniform'),
  LecunNormal: scaled(1, 'fanIn', 'normal'),
};

const KERAS = z.object({
  class_name: z.string(),
  config: z
    .looseObject({
      value: finite.optional(),
      mean: finite.optional(),
      stddev: scale.optional(),
      minval: finite.optional(),
      maxval: finite.optional(),
      scale: scale.optional(),
      mode: z.string().optional(),
      distribution: z.string().optional(),
    })
    .nullish(),
});

const MODES = { fan_in: 'fanIn', fan_out: 'fanOut', fan_avg: 'fanAvg' } as const;

/**
 * Reads an initialiser from a layer's config. given: an object with class_name and config, or undefined for Keras'
 * default.
 * Throws RangeError for an unknown initialiser.
 */
export function initialiserOf(given: unknown, otherwise: Initialiser): Initialiser {
  if (given === undefined || given === null) return otherwise;
  const { class_name: name, config } = KERAS.parse(given);
  const named = NAMED[name];
  if (named) return named;
  switch (name) {
    case 'Zeros':
      return { kind: 'constant', value: 0 };
    case 'Ones':
      return { kind: 'constant', value: 1 };
    case 'Constant':
      return { kind: 'constant', value: config?.value ?? 0 };
    case 'RandomUniform':
      return { kind: 'uniform', low: config?.minval ?? -0.05, high: config?.maxval ?? 0.05 };
    case 'RandomNormal':
    case 'TruncatedNormal': {
      const truncated = name === 'TruncatedNormal';
      return { kind: 'normal', mean: config?.mean ?? 0, deviation: config?.stddev ?? 0.05, truncated };
    }
    case 'VarianceScaling': {
      const mode = MODES[(config?.mode ?? 'fan_in') as keyof typeof MODES] ?? 'fanIn';
      return scaled(config?.scale ?? 1, mode, config?.distribution === 'uniform' ? 'uniform' : 'normal');
    }
  }
  throw new RangeError(`the initialiser ${name} is not known`);
}

/** The standard deviation of a standard normal distribution that is truncated at two standard deviations. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

/** Draws the values in row-major order. */
export function initialValues(initialiser: Initialiser, shape: readonly number[], stream: Stream): Float32Array {
  const values = new Float32Array(shape.reduce((product, each) => product * each, 1));
  const draw = drawOf(initialiser, shape, stream);
  return values.map(draw);
}

function drawOf(initialiser: Initialiser, shape: readonly number[], stream: Stream): () => number {
  switch (initialiser.kind) {
    case 'constant':
      return () => initialiser.value;
    case 'uniform':
      return () => initialiser.low + (initialiser.high - initialiser.low) * stream.uniform();
    case 'normal': {
      const { mean, deviation, truncated } = initialiser;
      return () => mean + deviation * (truncated ? truncatedNormal(stream) : stream.normal());
    }
    case 'variance-scaling': {
      const { scale, mode, distribution } = initialiser;
      const { fanIn, fanOut } = fansOf(shape);
      const fan = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
      const variance = scale / Math.max(1, fan);
      if (distribution === 'uniform') {
        const limit = Math.sqrt(3 * variance);
        return () => limit * (2 * stream.uniform() - 1);
      }
      const deviation = Math.sqrt(variance) / TRUNCATED_DEVIATION;
      return () => deviation * truncatedNormal(stream);
    }
  }
}

function truncatedNormal(stream: Stream): number {
  for (;;) {
    const value = stream.normal();
    if (Math.abs(value) < 2) return value;
  }
}

/** Returns the inputs and outputs of a unit. A convolution [height, width, in, out] has as many as its window. */
function fansOf(shape: readonly number[]): { fanIn: number; fanOut: number } {
  const [inputs = 1, outputs = inputs] = shape.slice(-2);
  const window = shape.slice(0, -2).reduce((product, each) => product * each, 1);
  return { fanIn: inputs * window, fanOut: outputs * window };
}
