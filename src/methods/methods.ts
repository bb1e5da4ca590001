// The table of methods. A new method is one file of this folder and one row here.
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
/** The settings of a stage's method; `name` tells the kinds apart. */
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

/** Returns the method with the name in the settings. It takes settings of that name only. */
export const methodOf = ({ name }: { readonly name: MethodName }): Method<MethodSettings> =>
  METHODS[name] as unknown as Method<MethodSettings>;

/**
 * Returns the method that a step names, whose name may come from another machine. Throws RangeError if there is none.
 */
export function methodNamed(name: string): Method<MethodSettings> {
  if (Object.hasOwn(METHODS, name)) return methodOf({ name: name as MethodName });
  throw new RangeError(`no method ${name}`);
}
