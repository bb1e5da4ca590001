// Checks numbers on the command line against their limits. The error names the flag and its limits.
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { flagOf } from '../../src/option-text.js';
import { optionsSchema } from '../../src/training/config.js';

/** Returns the same options. Throws E_CONFIG for numbers beyond the limits of the schema. */
export function withinLimits<Given extends object>(options: Given): Given {
  const shape: Readonly<Record<string, z.ZodType>> = optionsSchema.shape;
  const problems = Object.entries(options).flatMap(([name, value]) => {
    const schema = shape[name];
    if (typeof value !== 'number' || !schema || schema.safeParse(value).success) return [];
    return [`${flagOf(name)} ${value}: ${limitsOf(schema, value)}`];
  });
  if (problems.length === 0) return options;
  throw new PseudolabelError('E_CONFIG', problems.join('; '), 'give numbers within these limits');
}

function limitsOf(schema: z.ZodType, value: number): string {
  const json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  const numbers = [json, ...(json.anyOf ?? [])].find(
    (each) => typeof each === 'object' && (each.type === 'number' || each.type === 'integer'),
  );
  const { type, minimum, maximum = Number.MAX_SAFE_INTEGER } = typeof numbers === 'object' ? numbers : {};
  const isWithin = value >= (minimum ?? value) && value <= maximum && (type !== 'integer' || Number.isInteger(value));
  if (minimum === undefined || isWithin)
    return schema.safeParse(value).error?.issues[0]?.message ?? 'it cannot be that';
  const isOpen = maximum === Number.MAX_SAFE_INTEGER && value <= maximum;
  return `${type === 'integer' ? 'a whole number ' : ''}from ${minimum}${isOpen ? '' : ` to ${maximum}`}`;
}
