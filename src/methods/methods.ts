// The table of methods. A new one is a file of this folder and a row here.
import { z } from 'zod';
import { denoising } from './denoising.js';
import { fixMatch } from './fixmatch.js';
import { freeMatch } from './freematch.js';
import { labelPropagation } from './label-propagation.js';
import { meanTeacher } from './mean-teacher.js';
import type { Method } from './method.js';
import { pseudoLabel } from './pseudo-label.js';
import { supervised } from './supervised.js';

export const METHODS = {
  'pseudo-label': pseudoLabel,
  'label-propagation': labelPropagation,
  fixmatch: fixMatch,
  freematch: freeMatch,
  'mean-teacher': meanTeacher,
  denoising,
  supervised,
} as const;

export type MethodName = keyof typeof METHODS;
/** A stage's method and its numbers, told apart by `name`. */
export type MethodSettings = z.output<(typeof METHODS)[MethodName]['settings']>;

export const METHOD_NAMES = Object.keys(METHODS) as [MethodName, ...MethodName[]];

type SettingsSchema = z.ZodObject<{ name: z.ZodLiteral<MethodName> }>;
export const methodSchema = z.discriminatedUnion(
  'name',
  Object.values(METHODS).map(({ settings }) => settings as unknown as SettingsSchema) as [SettingsSchema],
  {
    error: ({ code }) =>
      code === 'invalid_union' ? `a method has one of the names ${METHOD_NAMES.join(', ')}` : undefined,
  },
) as unknown as z.ZodType<MethodSettings>;

/** The settings that a method takes are those with its name. */
export const methodOf = ({ name }: { readonly name: MethodName }): Method<MethodSettings> =>
  METHODS[name] as unknown as Method<MethodSettings>;

/** Of a step as it travels, whose name has been checked. Throws RangeError. */
export function methodNamed(name: string): Method<MethodSettings> {
  if (Object.hasOwn(METHODS, name)) return methodOf({ name: name as MethodName });
  throw new RangeError(`no method ${name}`);
}
