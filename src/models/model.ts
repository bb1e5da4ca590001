// A network as JSON, which runs, messages and files hold. models.ts says what can be done with it.
import { z } from 'zod';
import { type DenseModel, denseSchema } from './dense/model.js';
import { type LayersModel, layersSchema } from './layers/model.js';

/** A network of any kind, which `kind` names. Each kind has a folder here. */
export type Model = DenseModel | LayersModel;

export const modelSchema: z.ZodType<Model> = z.discriminatedUnion('kind', [denseSchema, layersSchema]);
