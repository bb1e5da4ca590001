// A network, as JSON: what runs, messages and files say of it. What can be done with it is in models.ts.
import { z } from 'zod';
import { type DenseModel, denseSchema } from './dense/model.js';
import { type LayersModel, layersSchema } from './layers/model.js';

/** The kind of a network is told by `kind`; each kind has a folder here. */
export type Model = DenseModel | LayersModel;

export const modelSchema: z.ZodType<Model> = z.discriminatedUnion('kind', [denseSchema, layersSchema]);
