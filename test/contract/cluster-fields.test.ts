// Tests answers with fields of the right type and a wrong value, and requests that do not fit. They are made from the
// messages of a real run, so a new field is covered as soon as it is sent. test/unit/protocol/fields.test.ts tests what
// the schemas refuse.
import { afterAll, describe, expect, it } from 'vitest';
import { TO_COORDINATOR, TO_NODE } from '../../src/protocol/cluster-messages.js';
import { changed, fulfils, at as valueAt } from '../protocol-fields.js';
import { exactByRows, exactByTensorShards, exactGraph } from './exact-runs.js';
import { CONTENT } from './executor.contract.js';
import { type AnyParcel, at, kindOf, onWay, place, until } from './faults.js';
import { testCluster } from './test-cluster.js';
import { shareByWorkers, trainUntil, withVictim } from './victim.js';

shareByWorkers();

const RUNS = { rows: exactByRows, shards: exactByTensorShards, graph: exactGraph };
type Run = keyof typeof RUNS;
type Sent = Extract<AnyParcel, { message: unknown }>['message'];

const patient = await testCluster(CONTENT, { local: 1, remotes: [], fetchEvery: 2 });
afterAll(() => patient.cluster.close());

/** Returns the first message of each kind that each side sent in a run, and the run. */
async function said(): Promise<{ to: 'node' | 'coordinator'; run: Run; message: Sent }[]> {
  const found = new Map<string, { to: 'node' | 'coordinator'; run: Run; message: Sent }>();
  await withVictim(patient, async ({ link }) => {
    for (const run of ['rows', 'shards', 'graph'] as const) {
      const listen = (to: 'node' | 'coordinator') => (parcel: AnyParcel) => {
        if ('message' in parcel && !found.has(kindOf(parcel)))
          found.set(kindOf(parcel), { to, run, message: structuredClone(parcel.message) });
        return [parcel];
      };
      link.toNode = listen('node') as never;
      link.toCoordinator = listen('coordinator') as never;
      await RUNS[run](patient);
    }
  });
  return [...found.values()];
}

type Path = (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [path];
  return Object.entries(value).flatMap(([name, each]) =>
    pathsOf(each, [...path, Array.isArray(value) ? Number(name) : name]),
  );
}

/** Of several elements, the first one is enough. */
const isFirst = (path: Path): boolean =>
  path.every((name, i) => typeof name === 'string' || name === 0 || i === path.length - 1);

/** Wrong values of these fields cannot be noticed, because they change no result. */
const CANNOT_BE_TOLD = new Set(['kind', 'request', 'lostWorkers', 'milliseconds', 'labelledLoss', 'unlabelledLoss']);

/** Returns wrong values of the same type. */
function wrongOnes(value: unknown): unknown[] {
  if (typeof value === 'number') return Number.isInteger(value) ? [value + 2 ** 20] : [Number.NaN, 3e38];
  if (typeof value === 'boolean') return [!value];
  if (value instanceof Uint8Array)
    return value.length === 0 ? [new Uint8Array(4)] : [value.map(() => 255), value.slice(1)];
  return [];
}

const messages = await said();
const casesOf = (to: 'node' | 'coordinator', tableOf: Readonly<Record<string, { schema: unknown }>>) =>
  messages.flatMap(({ to: side, run, message }) =>
    side !== to
      ? []
      : pathsOf(message)
          .filter(isFirst)
          .flatMap((path) =>
            wrongOnes(valueAt(message, path)).flatMap((value) => {
              const isSeen = fulfils(tableOf[message.kind]!.schema as never, changed(message, path, value));
              return isSeen ? [{ kind: message.kind, field: path.join('.'), run, path, value }] : [];
            }),
          ),
  );

describe('a node', () => {
  const answers = casesOf('coordinator', TO_COORDINATOR).filter(({ path }) =>
    path.every((name) => !CANNOT_BE_TOLD.has(String(name))),
  );

  it('answers in all kinds', () => {
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(
      new Set(['computed', 'predicted', 'logits', 'described', 'found']),
    );
    expect(new Set(messages.filter(({ to }) => to === 'coordinator').map(({ message }) => message.kind))).toEqual(
      new Set(['computed', 'predicted', 'updated', 'digest', 'logits', 'collected', 'ready', 'described', 'found']),
    );
  });

  it.each(answers)(
    'that sends $kind with a wrong $field is sent away, and its work done again (case S3)',
    async (of) => {
      const { kind, run, path } = of;
      const log = await withVictim(patient, async (victim) => {
        const change = ({ message }: { message: Sent }) => [{ message: changed(message, path, sized(message, of)) }];
        const happened = at(victim.link, onWay('coordinator', kind, 1), change as never);
        await trainUntil(patient, happened, RUNS[run]);
        // The node is told the reason, and does not come again.
        expect(await victim.ended).toMatchObject({ kind: 'refused', error: { code: 'E_PROTOCOL' } });
      });
      expect(log).toEqual(['+node', '-node E_PROTOCOL']);
    },
  );
});

/** Makes the same change to a message of another step. */
function sized(message: Sent, { path, value }: { path: Path; value: unknown }): unknown {
  const now = valueAt(message, path);
  if (!(value instanceof Uint8Array && now instanceof Uint8Array) || now.length === 0) return value;
  return value.every((byte) => byte === 255) ? now.map(() => 255) : now.slice(1);
}

describe('a coordinator', () => {
  /**
   * These requests have other rows, rates or steps than the others, so the node's results are not those of its shards.
   */
  const lengths = casesOf('node', TO_NODE).filter(
    ({ value, kind }) => value instanceof Uint8Array && kind !== 'welcome',
  );
  const shorter = lengths.filter(({ value }) => !(value as Uint8Array).every((byte) => byte === 255));

  it.each(shorter)('that sends $kind with $field of another length is not obeyed (case S8)', async (of) => {
    await withVictim(patient, async (victim) => {
      const change = ({ message }: { message: Sent }) => [{ message: changed(message, of.path, sized(message, of)) }];
      const happened = at(victim.link, onWay('node', of.kind, 1), change as never);
      await trainUntil(patient, happened, RUNS[of.run]);
      expect(await victim.ended).toMatchObject({ kind: 'lost', error: { code: 'E_PROTOCOL' } });
    });
  });

  it.each([
    ['total', 5],
    ['total', 4],
    ['parameters', 6],
    ['parameters', 1],
  ] as const)('that sends %s of %i bytes ends the connection, and nothing else (case S8)', async (kind, bytes) => {
    await withVictim(patient, async (victim) => {
      const happened = at(victim.link, place(kind, 1), ({ tag }: Extract<AnyParcel, { tag: unknown }>) => [
        { tag, payload: new Uint8Array(bytes) },
      ]);
      await trainUntil(patient, happened, exactByRows);
      expect(await victim.ended).toMatchObject({ kind: 'lost', error: { code: 'E_PROTOCOL' } });
    });
  });

  const numbers = casesOf('node', TO_NODE).filter(
    ({ value, path, kind }) =>
      typeof value === 'number' &&
      kind !== 'welcome' &&
      !path.includes('logitShift') &&
      /^(inputs|units|shard|first|end|parameters|0|1)$/.test(String(path.at(-1))),
  );

  it.each(numbers)('that sends $kind with $field beyond the arena is not obeyed (case S8)', async (of) => {
    await withVictim(patient, async (victim) => {
      const change = ({ message }: { message: Sent }) => [{ message: changed(message, of.path, of.value) }];
      const happened = at(victim.link, onWay('node', of.kind, 1), change as never);
      await trainUntil(patient, happened, RUNS[of.run]);
      expect(await victim.ended).toMatchObject({ kind: 'lost', error: { code: 'E_PROTOCOL' } });
    });
    await until(() => patient.cluster.status().nodes.length === 0);
  });
});
