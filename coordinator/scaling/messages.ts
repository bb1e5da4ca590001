// Owns what a measurement and its contestants, each a process of its own, say to each other.
import type { ErrorCode } from '../../src/errors.js';
import type { Block } from '../../src/scaling/summary.js';
import type { Contestant, Phase, Workload, WorkloadOptions } from './workload.js';

export type Question =
  | { readonly kind: 'open'; readonly options: WorkloadOptions; readonly contestant: Contestant }
  | { readonly kind: 'measure'; readonly phase: Phase };

export type Answer =
  | { readonly kind: 'opened'; readonly traffic: Workload['traffic'] }
  | { readonly kind: 'measured'; readonly block: Block }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string; readonly fix: string };
