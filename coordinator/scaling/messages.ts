// What the processes of a measurement say to each other: questions and answers over pipes, and what ranks say over MPI.
import { z } from 'zod';
import type { ErrorCode } from '../../src/errors.js';
import { TO_RANK } from '../../src/protocol/mpi-messages.js';
import type { Block } from '../../src/scaling/summary.js';
import { SHARES } from '../../src/scaling/time-split.js';
import type { Account } from './activity-record.js';
import type { Phase, Setup, Workload, WorkloadOptions } from './bench.js';

export interface Failure {
  readonly kind: 'failed';
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly fix: string;
}

/** To a process that measures. */
export type Question =
  | { readonly kind: 'open'; readonly options: WorkloadOptions; readonly setup: Setup }
  | { readonly kind: 'measure'; readonly phase: Phase };

export type Answer =
  /** cores: of all machines that it is on. */
  | { readonly kind: 'opened'; readonly traffic: Workload['traffic']; readonly cores: number }
  | { readonly kind: 'measured'; readonly block: Block }
  | Failure;

/** To a node. Its coordinator asks it for work in the protocol of all nodes. */
export type NodeQuestion =
  | { readonly kind: 'join'; readonly address: string; readonly tokenFile: string; readonly fingerprint: string }
  | { readonly kind: 'begin' }
  | { readonly kind: 'account'; readonly began: number; readonly ended: number };

export type NodeAnswer =
  | { readonly kind: 'joined' | 'begun' }
  | { readonly kind: 'accounted'; readonly account: Account }
  | Failure;

/** Bytes of a message with some named numbers. */
const LIMIT = 2 ** 12;

/** From rank 0. */
export const TO_MEASURED = {
  ...TO_RANK,
  /** Record what you do from now on. Answered by `begun`. */
  begin: { schema: z.strictObject({ kind: z.literal('begin') }), limit: LIMIT },
  /** What did you do from `began` until `ended`, by rank 0's clock plus offsets[r - 1]? Answered by `accounted`. */
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
