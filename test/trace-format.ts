// Checks a file against the Chrome trace event format, as far as Perfetto needs it: fields, and slices of a lane that
// nest.
import { expect } from 'vitest';
import { z } from 'zod';

const COMPLETE = z.strictObject({
  ph: z.literal('X'),
  name: z.string().min(1),
  cat: z.string().min(1),
  pid: z.int(),
  tid: z.int(),
  ts: z.number().nonnegative(),
  dur: z.number().nonnegative(),
  args: z.record(z.string(), z.number()),
});
const NAME = z.strictObject({
  ph: z.literal('M'),
  name: z.enum(['process_name', 'thread_name']),
  pid: z.int(),
  tid: z.int(),
  args: z.strictObject({ name: z.string().min(1) }),
});
const ORDER = z.strictObject({
  ...NAME.shape,
  name: z.literal('thread_sort_index'),
  args: z.strictObject({ sort_index: z.int() }),
});
const FILE = z.strictObject({
  displayTimeUnit: z.enum(['ms', 'ns']),
  traceEvents: z.array(z.union([COMPLETE, NAME, ORDER])),
});

export type Complete = z.infer<typeof COMPLETE>;

const nanoseconds = (microseconds: number): number => Math.round(microseconds * 1e3);

/** Fails if the text is not such a file. Returns its slices, and the names of its lanes by tid. */
export function readTrace(text: string): { slices: Complete[]; lanes: Map<number, string> } {
  const { traceEvents } = FILE.parse(JSON.parse(text));
  const slices = traceEvents.filter((event) => event.ph === 'X');
  const names = traceEvents.filter((event) => event.ph === 'M' && event.name === 'thread_name');
  const lanes = new Map(names.map(({ tid, args }) => [tid, (args as { name: string }).name]));
  expect(lanes.size).toBe(names.length);
  for (const { tid, pid } of slices) {
    expect(lanes.has(tid)).toBe(true);
    expect(pid).toBe(1);
  }
  for (const tid of lanes.keys())
    expectNested(
      slices.filter((slice) => slice.tid === tid),
      lanes.get(tid)!,
    );
  return { slices, lanes };
}

/** Expects that slices nest. Perfetto drops a slice that begins within another of its lane and ends after it. */
function expectNested(slices: readonly Complete[], lane: string): void {
  const within: number[] = [];
  const spans = slices.map(({ ts, dur, name }) => ({ begin: nanoseconds(ts), end: nanoseconds(ts + dur), name }));
  for (const { begin, end, name } of spans.toSorted((a, b) => a.begin - b.begin || b.end - a.end)) {
    while (within.length > 0 && within.at(-1)! <= begin) within.pop();
    expect(end, `${name} at ${begin} of ${lane}`).toBeLessThanOrEqual(within.at(-1) ?? Number.POSITIVE_INFINITY);
    within.push(end);
  }
}
