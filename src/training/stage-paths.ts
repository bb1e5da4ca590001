// Finds the paths of the stages' JSON by its schema: those that may be set, including those that a stage leaves out.
import { z } from 'zod';
import type { Stage } from './stage.js';
import { stagesSchema } from './stage-schema.js';

/** The parts of a JSON Schema that are read here. */
interface JsonSchema {
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

type Json = Readonly<Record<string, unknown>>;

/**
 * A part of the stages: its value, or undefined if the stage leaves it out, and the schemas of the values that it may
 * have.
 */
interface Part {
  readonly value: unknown;
  readonly schemas: readonly JsonSchema[];
}

const isContainer = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Returns the schemas that a union consists of. */
const branchesOf = (schema: JsonSchema): readonly JsonSchema[] =>
  (schema.oneOf ?? schema.anyOf)?.flatMap(branchesOf) ?? [schema];

/**
 * Returns whether the value is of the kind that the schema describes, by the words (`kind`, `name`) that tell kinds
 * apart.
 */
const isOfKind = (value: Json, { properties = {} }: JsonSchema): boolean =>
  Object.entries(properties).every(
    ([key, { const: word }]) => word === undefined || !(key in value) || value[key] === word,
  );

/**
 * Returns the schemas of the fields that a part has or may have, by name. An array has only the elements that exist.
 */
function fieldsOf({ value, schemas }: Part): ReadonlyMap<string, readonly JsonSchema[]> {
  const fields = new Map<string, readonly JsonSchema[]>();
  const add = (key: string, found: readonly JsonSchema[]) => fields.set(key, [...(fields.get(key) ?? []), ...found]);
  if (isContainer(value)) for (const key of Object.keys(value)) add(key, []);
  else if (value !== undefined) return fields;
  for (const schema of schemas.flatMap(branchesOf)) {
    if (isContainer(value) && !isOfKind(value, schema)) continue;
    if (Array.isArray(value)) for (const key of fields.keys()) add(key, schema.items ? [schema.items] : []);
    else for (const [key, field] of Object.entries(schema.properties ?? {})) add(key, [field]);
  }
  return fields;
}

/** Returns the field of that name, or undefined if nothing is there and nothing may be. */
function fieldOf(part: Part, key: string): Part | undefined {
  const schemas = fieldsOf(part).get(key);
  const { value } = part;
  return schemas && { value: isContainer(value) && Object.hasOwn(value, key) ? value[key] : undefined, schemas };
}

/** Returns a stage, and what may be in it. */
export function partOf(stage: Stage): Part {
  const { items } = z.toJSONSchema(stagesSchema, { io: 'output' }) as JsonSchema;
  return { value: stage, schemas: items ? [items] : [] };
}

/** Returns a copy of the part's value with another value at the path, or undefined if nothing is there and nothing may be. */
export function replaced(part: Part, [key, ...within]: readonly string[], value: unknown): unknown {
  const field = key === undefined ? undefined : fieldOf(part, key);
  if (field === undefined || key === undefined) return undefined;
  const next = within.length > 0 ? replaced(field, within, value) : value;
  if (next === undefined) return undefined;
  return Array.isArray(part.value)
    ? part.value.with(Number(key), next)
    : { ...(part.value as Json | undefined), [key]: next };
}

/**
 * Returns the paths of all numbers and words of a stage: those that it has, and those that it may have. Those of a
 * method leave `method` out.
 */
export function pathsOf(stage: Stage): { readonly there: readonly string[]; readonly absent: readonly string[] } {
  const there: string[] = [];
  const absent: string[] = [];
  const walk = (part: Part, path: string): void => {
    const fields = [...fieldsOf(part).keys()];
    if (fields.length === 0) (part.value === undefined ? absent : there).push(path.replace('.method.', '.'));
    for (const key of fields) walk(fieldOf(part, key)!, `${path}.${key}`);
  };
  walk(partOf(stage), stage.name);
  return { there, absent };
}
