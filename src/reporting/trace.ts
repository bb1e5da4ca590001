// Writes the trace of a run for Perfetto: its calls in the Chrome trace event format (JSON object format, "complete"
// events).
import type { Call, TimedTask } from '../engine/timeline.js';

/** ts and dur are in microseconds. */
export type TraceEvent =
  | {
      readonly ph: 'X';
      readonly name: string;
      readonly cat: string;
      readonly pid: number;
      readonly tid: number;
      readonly ts: number;
      readonly dur: number;
      readonly args: Readonly<Record<string, number>>;
    }
  | {
      readonly ph: 'M';
      readonly name: 'process_name' | 'thread_name' | 'thread_sort_index';
      readonly pid: number;
      readonly tid: number;
      readonly args: Readonly<Record<string, string | number>>;
    };

const PROCESS = 1;
const COORDINATOR = 0;
const TASK_NAMES = {
  gradients: 'gradient',
  update: 'update',
  'tensor-step': 'tensor-step',
  predict: 'predict',
} as const;

/** What one thread did, and its begin and end in milliseconds. */
interface Span {
  readonly name: string;
  readonly cat: string;
  readonly tid: number;
  readonly began: number;
  readonly ended: number;
  readonly args: Readonly<Record<string, number>>;
}

/** Yields a track for the coordinator and one for each worker. Time starts at the first call. */
export function* traceEvents(calls: readonly Call[]): Generator<TraceEvent> {
  const [first] = calls;
  if (!first) return;
  // Times are whole nanoseconds, so that rounding does not make neighbours overlap.
  const since = (time: number): number => Math.round((time - first.called) * 1e6);
  yield* tracks(calls);
  for (const { began, ended, ...span } of spans(calls)) {
    const [start, end] = [since(began), since(ended)];
    yield { ph: 'X', ...span, pid: PROCESS, ts: start / 1e3, dur: (end - start) / 1e3 };
  }
}

/** Yields the file, in pieces. */
export function* traceFile(calls: readonly Call[]): Generator<Uint8Array> {
  let before = '{"displayTimeUnit":"ms","traceEvents":[\n';
  for (const event of traceEvents(calls)) {
    yield Buffer.from(before + JSON.stringify(event));
    before = ',\n';
  }
  yield Buffer.from(before.startsWith('{') ? `${before}]}\n` : '\n]}\n');
}

function* tracks(calls: readonly Call[]): Generator<TraceEvent> {
  const workers = new Set(calls.flatMap(({ tasks }) => tasks.map(({ worker }) => worker)));
  const meta = { ph: 'M', pid: PROCESS } as const;
  yield { ...meta, tid: COORDINATOR, name: 'process_name', args: { name: 'pseudolabel' } };
  for (const tid of [COORDINATOR, ...[...workers].sort((a, b) => a - b)]) {
    yield { ...meta, tid, name: 'thread_name', args: { name: tid === COORDINATOR ? 'coordinator' : `worker ${tid}` } };
    yield { ...meta, tid, name: 'thread_sort_index', args: { sort_index: tid } };
  }
}

function* spans(calls: readonly Call[]): Generator<Span> {
  for (const [c, call] of calls.entries()) {
    const { kind, called, answered, tasks } = call;
    const args = { ...call.step };
    if (kind === 'gradients' || kind === 'tensor-step') {
      // A tensor-parallel step is one call, a data-parallel one two. A step that failed between them ends with the
      // first.
      const next = calls[c + 1];
      const ended = next?.kind === 'update' ? next.answered : answered;
      yield { name: 'step', cat: 'coordinator', tid: COORDINATOR, began: called, ended, args };
    }
    yield { name: kind, cat: 'coordinator', tid: COORDINATOR, began: called, ended: answered, args };
    for (const task of tasks) yield* taskSpans(kind, task, args);
  }
}

function* taskSpans(kind: Call['kind'], task: TimedTask, args: Span['args']): Generator<Span> {
  const { worker: tid, began, ended, parts } = task;
  yield { name: TASK_NAMES[kind], cat: 'worker', tid, began, ended, args };
  if (parts.length === 1) return;
  let at = began;
  for (const [name, milliseconds] of parts) {
    const end = Math.min(at + milliseconds, ended);
    yield { name, cat: 'part', tid, began: at, ended: end, args };
    at = end;
  }
}
