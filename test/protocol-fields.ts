// Makes a message of each kind from the schemas of messages, and finds every field in which another value could be.
import type { z } from 'zod';

type Path = readonly (string | number)[];
type Schema = z.core.$ZodType;

/** A field of a message, or an element of one, that is not itself a map or a list. */
export interface Leaf {
  readonly path: Path;
  /** null and undefined, if they are valid there. */
  readonly nothing: readonly unknown[];
}

const BYTES = new Uint8Array(32);
const NUMBERS = [1, 0, 0.5, 1000];
const TEXTS = ['x', 'a'.repeat(64), 'f32'];

/** Returns a value that fulfils a schema of ours. */
export function sampleOf(schema: Schema): unknown {
  const { def } = schema._zod as { def: z.core.$ZodTypes['_zod']['def'] };
  const first = (candidates: readonly unknown[]) => {
    const found = candidates.find((each) => fulfils(schema, each));
    if (found === undefined) throw new Error(`nothing here fulfils a schema of type ${def.type}`);
    return found;
  };
  switch (def.type) {
    case 'object':
      return Object.fromEntries(Object.entries(def.shape).map(([name, field]) => [name, sampleOf(field)]));
    case 'pipe':
      // This is a list whose length is checked first. It has one element, or as many as it must have.
      return first([1, 2].map((length) => Array.from({ length }, () => sampleOf(elementOf(def.out)))));
    case 'array':
      return [sampleOf(def.element)];
    case 'tuple':
      return def.items.map(sampleOf);
    case 'union':
      return sampleOf(def.options[0]!);
    case 'nullable':
    case 'optional':
      return sampleOf(def.innerType);
    case 'literal':
      return def.values[0];
    case 'enum':
      return Object.values(def.entries)[0];
    case 'boolean':
      return true;
    case 'number':
      return first(NUMBERS);
    case 'string':
      return first(TEXTS);
    case 'custom':
    case 'unknown':
      return first([BYTES, 1]);
    default:
      throw new Error(`a schema of type ${def.type} is new here: say what fulfils it`);
  }
}

/** Returns all leaves of a value that fulfils a schema. */
export function leavesOf(schema: Schema, value: unknown, path: Path = []): Leaf[] {
  const { def } = schema._zod as { def: z.core.$ZodTypes['_zod']['def'] };
  const elements = (of: Schema) => (value as unknown[]).flatMap((each, i) => leavesOf(of, each, [...path, i]));
  switch (def.type) {
    case 'object':
      return Object.entries(def.shape).flatMap(([name, field]) =>
        Object.hasOwn(value as object, name) ? leavesOf(field, (value as never)[name], [...path, name]) : [],
      );
    case 'pipe':
      return elements(elementOf(def.out));
    case 'array':
      return elements(def.element);
    case 'tuple':
      return def.items.flatMap((item, i) => leavesOf(item, (value as unknown[])[i], [...path, i]));
    case 'union':
      return leavesOf(def.options.find((option) => fulfils(option, value))!, value, path);
    case 'nullable':
    case 'optional':
      return leavesOf(def.innerType, value, path).map((leaf) =>
        leaf.path.length > path.length
          ? leaf
          : { path, nothing: [...leaf.nothing, def.type === 'nullable' ? null : undefined] },
      );
    default:
      return [{ path, nothing: [] }];
  }
}

/** Returns a copy with another value at a path. undefined: with no value there. */
export function changed<T>(value: T, [head, ...rest]: Path, to: unknown): T {
  if (head === undefined) return to as T;
  const next = changed((value as never)[head], rest, to);
  if (Array.isArray(value)) return value.with(head as number, next) as T;
  const { [head]: _, ...others } = value as Record<string | number, unknown>;
  return (next === undefined ? others : { ...others, [head]: next }) as T;
}

export const at = (value: unknown, path: Path): unknown =>
  path.reduce((part, name) => (part as Record<string | number, unknown>)[name], value);

export const fulfils = (schema: Schema, value: unknown): boolean => (schema as z.ZodType).safeParse(value).success;

function elementOf(schema: Schema): Schema {
  const { def } = schema._zod as { def: z.core.$ZodTypes['_zod']['def'] };
  if (def.type !== 'array') throw new Error('a pipe of ours leads to a list');
  return def.element;
}
