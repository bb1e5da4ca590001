// Owns what the ranks of a contestant say to each other between two blocks, besides what ranks say in any run.
import { z } from 'zod';
import { TO_RANK } from '../../src/protocol/mpi-messages.js';
import { SHARES } from '../../src/scaling/time-split.js';

/** Room for numbers by name. */
const LIMIT = 2 ** 12;

/** From rank 0. */
export const TO_MEASURED = {
  ...TO_RANK,
  /** Note what you do from now on. Answered by `begun`. */
  begin: { schema: z.strictObject({ kind: z.literal('begin') }), limit: LIMIT },
  /** What did you do from `began` until `ended`? By rank 0's clock, to which offsets[r - 1] is added for that of rank r. Answered by `accounted`. */
  account: {
    schema: z.strictObject({
      kind: z.literal('account'),
      began: z.number(),
      ended: z.number(),
      offsets: z.array(z.number()),
    }),
    limit: 2 ** 16,
  },
} as const;

/** To rank 0. sentBytes: so far. */
export const FROM_MEASURED = {
  begun: {
    schema: z.strictObject({
      kind: z.literal('begun'),
      host: z.string(),
      /** Of the host. */
      cores: z.int().min(1),
      /** What the rank's clock says. */
      clock: z.number(),
      sentBytes: z.number(),
    }),
    limit: LIMIT,
  },
  accounted: {
    schema: z.strictObject({
      kind: z.literal('accounted'),
      account: z.strictObject({
        split: z.record(z.enum(SHARES), z.number()),
        inTasks: z.number(),
        computed: z.number(),
      }),
      sentBytes: z.number(),
    }),
    limit: LIMIT,
  },
} as const;

export type ToMeasured = z.output<(typeof TO_MEASURED)[keyof typeof TO_MEASURED]['schema']>;
export type FromMeasured = z.output<(typeof FROM_MEASURED)[keyof typeof FROM_MEASURED]['schema']>;
