// Finds where two JSON values differ, to tell a user why what was saved does not fit what there is now.

export interface Difference {
  /** The path of the value, such as 'config.stages.1.rate.initial'. */
  readonly at: string;
  /** The value before, as short text; `is` is the value now. */
  readonly was: string;
  readonly is: string;
}

/** Compares both values as JSON holds them, so that a member that is absent equals one that is undefined. */
export function differencesOf(was: unknown, is: unknown): Difference[] {
  return [...differences(asJson(was), asJson(is), '')];
}

const asJson = (value: unknown): unknown => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

function* differences(was: unknown, is: unknown, at: string): Generator<Difference> {
  if (isContainer(was) && isContainer(is) && Array.isArray(was) === Array.isArray(is)) {
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      yield* differences(was[key], is[key], at === '' ? key : `${at}.${key}`);
    }
  } else if (was !== is) yield { at, was: short(was), is: short(is) };
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent';
  return text.length <= 40 ? text : `${text.slice(0, 22)}...${text.slice(-15)}`;
}
