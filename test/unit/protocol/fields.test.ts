// Tests every field of every message with values out of its range. The fields come from the schemas, so a new kind or
// field is covered automatically.
import { describe, expect, it } from 'vitest';
import type { Message } from '../../../src/protocol/channel.js';
import { TO_COORDINATOR, TO_NODE } from '../../../src/protocol/cluster-messages.js';
import { decodeFrame, encodeMessage, type MessageKind, type MessageTable } from '../../../src/protocol/codec.js';
import { TO_RANK, TO_ROOT } from '../../../src/protocol/mpi-messages.js';
import { FROM_COORDINATOR, FROM_WORKER } from '../../../src/protocol/token-handshake.js';
import { changed, leavesOf, sampleOf } from '../../protocol-fields.js';

type Kinds = readonly (readonly [kind: string, of: MessageKind<Message>])[];
const kindsOf = (table: object): Kinds => Object.entries(table);

/**
 * Fields that may hold values that are not finite: of a shard or tensor shards that report this themselves. Each is
 * checked again later, before it counts.
 */
const MAY_BE_NOT_FINITE = new Set(['labelledLoss', 'unlabelledLoss', 'statistics', 'activationBound', 'weightBound']);

/** Values that no number field of ours may have. */
const NO_NUMBERS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, -1e300];
/** Values of other types than any field has, or longer than any field may be. */
const OTHERS = [null, undefined, {}, [], { length: 1 }, 'x'.repeat(2 ** 20 + 1), [[1]]];

/** The version comes first. The other fields of an `open` of another version are unknown, and are checked after it. */
const UNKNOWN_YET = new Set(['nonce', 'guarded']);

const LOOSE = { limit: 2 ** 28, values: 2 ** 22 };
const loose = new Proxy({}, { get: () => LOOSE }) as MessageTable<Message>;

/** Returns whether a message comes through unchanged. */
function isTaken(kind: string, of: MessageKind<Message>, message: Message): boolean {
  try {
    decodeFrame({ [kind]: of } as MessageTable<Message>, encodeMessage(loose, message));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^E_(PROTOCOL|TOO_LARGE)$/) });
    return false;
  }
}

describe.each([
  ['a node, from its coordinator', TO_NODE],
  ['a coordinator, from its nodes', TO_COORDINATOR],
  ['a worker, in the handshake', FROM_COORDINATOR],
  ['a coordinator, in the handshake', FROM_WORKER],
  ['a rank', TO_RANK],
  ['the first rank', TO_ROOT],
])('what is taken by %s', (_, table) => {
  describe.each(kindsOf(table))('%s', (kind, of) => {
    const message = { ...(sampleOf(of.schema) as object), kind };
    const leaves = leavesOf(of.schema, message).filter(
      ({ path: [name] }) => name !== 'kind' && !(kind === 'open' && UNKNOWN_YET.has(String(name))),
    );
    const taken = (values: readonly unknown[]) =>
      leaves.flatMap(({ path, nothing }) =>
        values
          .filter((value) => !nothing.includes(value) && isTaken(kind, of, changed(message, path, value)))
          .map(() => path.join('.')),
      );

    it('is a message as it should be', () => {
      expect(isTaken(kind, of, message)).toBe(true);
    });

    it('has no number that is not finite or out of range (cases S3 and S8)', () => {
      const found = new Set(taken(NO_NUMBERS));
      const unexpected = [...found].filter((path) => !path.split('.').some((name) => MAY_BE_NOT_FINITE.has(name)));
      expect(unexpected).toEqual([]);
    });

    it('has nothing of another type, and nothing without an end (cases S3 and S8)', () => {
      expect(taken(OTHERS)).toEqual([]);
    });

    it('has no field besides its own (cases S3 and S8)', () => {
      if (table === FROM_COORDINATOR || table === FROM_WORKER) return; // They may have more fields.
      expect(isTaken(kind, of, { ...message, more: 1 } as Message)).toBe(false);
    });
  });
});

describe('a list', () => {
  it('is measured before anything in it is looked at (case S2)', () => {
    const sums = Array.from({ length: 4000 }, () => ({}));
    const message = { kind: 'logits', request: 1, lostWorkers: 0, sums };
    const { success, error } = TO_COORDINATOR.logits.schema.safeParse(message);
    expect(success).toBe(false);
    expect(error!.issues).toHaveLength(1);
  });
});
