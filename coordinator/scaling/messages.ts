// Owns what a measurement, its contestants and their nodes, each a process of its own, say to each other. What ranks say: rank-messages.ts.
import type { ErrorCode } from '../../src/errors.js';
import type { Block } from '../../src/scaling/summary.js';
import type { Account } from './activity-record.js';
import type { Contestant, Phase, Workload, WorkloadOptions } from './workload.js';

export interface Failure {
  readonly kind: 'failed';
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly fix: string;
}

/** To a contestant. */
export type Question =
  | { readonly kind: 'open'; readonly options: WorkloadOptions; readonly contestant: Contestant }
  | { readonly kind: 'measure'; readonly phase: Phase };

export type Answer =
  /** cores: of all machines that it is on. */
  | { readonly kind: 'opened'; readonly traffic: Workload['traffic']; readonly cores: number }
  | { readonly kind: 'measured'; readonly block: Block }
  | Failure;

/** To a node. What it computes, it is asked for by its contestant's coordinator, in the protocol of all nodes. */
export type NodeQuestion =
  | { readonly kind: 'join'; readonly address: string; readonly tokenFile: string; readonly fingerprint: string }
  | { readonly kind: 'begin' }
  | { readonly kind: 'account'; readonly began: number; readonly ended: number };

export type NodeAnswer =
  | { readonly kind: 'joined' | 'begun' }
  | { readonly kind: 'accounted'; readonly account: Account }
  | Failure;
