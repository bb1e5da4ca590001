// The schemas of a graph of images in messages. Descriptions, their results and neighbours are sent as floats and row
// numbers in little-endian bytes.
import { z } from 'zod';
import type { Neighbours } from '../graph/neighbours.js';
import { descriptorSchema, MOST_NEIGHBOURS, MOST_PARTS, MOST_ROW_VALUES, MOST_ROWS } from '../graph/settings.js';
import type { Model } from '../models/model.js';
import type { DescribeResult, Description } from '../models/tasks.js';
import { binary, count, list, milliseconds, modelText } from './fields.js';
import { bytesOf, floatsOf } from './tensor-codec.js';

/** Floats or row numbers. */
export const words: z.ZodType<Uint8Array> = binary.refine(({ length }) => length % 4 === 0, 'half a number');

const side = count.min(1).max(2 ** 16);

const description = z.strictObject({
  set: z.enum(['unlabelled', 'evaluation']),
  size: z.strictObject({ height: side, width: side, channels: side }),
  descriptor: descriptorSchema,
  every: count.min(1),
  projection: z
    .strictObject({
      bases: list(z.strictObject({ mean: words, vectors: words }), MOST_PARTS, 1),
      length: z.number().min(0).max(1000),
    })
    .nullable(),
  withProbabilities: z.boolean(),
});

/** A description without its model. */
export type WireDescription = z.output<typeof description>;

/** Fields of messages. */
export const described = { description, model: modelText.nullable() };
export const rowsShape = { count: count.min(1).max(MOST_ROWS), columns: count.min(1).max(MOST_ROW_VALUES) };
export const neighbours = count.min(1).max(MOST_NEIGHBOURS);
/** probabilities: empty if none were asked for. */
export const describeResult = z.strictObject({ values: words, probabilities: words, milliseconds });
export const neighboursResult = z.strictObject({ rows: words, cosines: words, milliseconds });

export type WireDescribed = z.output<typeof describeResult>;
export type WireNeighbours = z.output<typeof neighboursResult>;

export function descriptionToWire({ model: _, projection, ...of }: Description): WireDescription {
  const bases = projection?.bases.map(({ mean, vectors }) => ({ mean: bytesOf(mean), vectors: bytesOf(vectors) }));
  return {
    ...of,
    projection: projection && bases ? { bases, length: projection.length } : null,
  };
}

export function descriptionFromWire(model: Model | null, { projection, ...of }: WireDescription): Description {
  const bases = projection?.bases.map(({ mean, vectors }) => ({ mean: floatsOf(mean), vectors: floatsOf(vectors) }));
  return {
    ...of,
    ...(model && { model }),
    ...(projection && bases && { projection: { bases, length: projection.length } }),
  };
}

export const describedToWire = ({ values, probabilities, milliseconds }: DescribeResult): WireDescribed => ({
  values: bytesOf(values),
  probabilities: bytesOf(probabilities ?? new Float32Array()),
  milliseconds,
});

export const describedFromWire = ({ values, probabilities, milliseconds }: WireDescribed): DescribeResult => ({
  values: floatsOf(values),
  milliseconds,
  ...(probabilities.length > 0 && { probabilities: floatsOf(probabilities) }),
});

export const neighboursToWire = ({
  rows,
  cosines,
  milliseconds,
}: Neighbours & { readonly milliseconds: number }): WireNeighbours => ({
  rows: new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength),
  cosines: bytesOf(cosines),
  milliseconds,
});

export const neighboursFromWire = ({ rows, cosines, milliseconds }: WireNeighbours) => ({
  rows: new Uint32Array(new Uint8Array(rows).buffer),
  cosines: floatsOf(cosines),
  milliseconds,
});
