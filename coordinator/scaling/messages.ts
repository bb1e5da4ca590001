// Defines the messages between the processes of a measurement: requests and answers over pipes, and messages of ranks
// over MPI.
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

/** A request to a process that measures. */
export type Question =
  | { readonly kind: 'open'; readonly options: WorkloadOptions; readonly setup: Setup }
  | { readonly kind: 'measure'; readonly phase: Phase };

export type Answer =
  /** cores: the number of cores of all machines that the process uses. */
  | { readonly kind: 'opened'; readonly traffic: Workload['traffic']; readonly cores: number }
  | { readonly kind: 'measured'; readonly block: Block }
  | Failure;

/** A request to a node. Its coordinator asks it for work in the protocol of all nodes. */
export type NodeQuestion =
  | { readonly kind: 'join'; readonly address: string; readonly tokenFile: string; readonly fingerprint: string }
  | { readonly kind: 'begin' }
  | { readonly kind: 'account'; readonly began: number; readonly ended: number };

export type NodeAnswer =
  | { readonly kind: 'joined' | 'begun' }
  | { readonly kind: 'accounted'; readonly account: Account }
  | Failure;

/** The most bytes of a message with a few named numbers. */
const LIMIT = 2 ** 12;

/** Messages from rank 0. */
export const TO_MEASURED = {
  ...TO_RANK,
  /** Asks the ranks to record what they do from now on. The answer is `begun`. */
  begin: { schema: z.strictObject({ kind: z.literal('begin') }), limit: LIMIT },
  /**
   * Asks the ranks what they did from `began` until `ended`. Times are on rank 0's clock plus offsets[r - 1]. The
   * answer is `accounted`.
   */
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

/** Messages to rank 0. sentBytes: the bytes sent so far. */
export const FROM_MEASURED = {
  begun: {
    schema: z.strictObject({
      kind: z.literal('begun'),
      host: z.string(),
      /** The number of cores of the host. */
      cores: z.int().min(1),
      /** The time on the rank's clock. */
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
