// The status of a run and its nodes, which `pseudolabel status` receives.

import { z } from 'zod';
import { count, float, list, text } from './fields.js';
import { MOST_NODES } from './limits.js';

const bytes = z.int().min(0);

const nodeStatus = z.strictObject({
  name: text,
  address: text,
  workers: count,
  state: z.enum(['working', 'behind', 'leaving']),
  /** The rows of training steps per second; null before the first step. */
  rowsPerSecond: float.min(0).nullable(),
  /** The shards of the last step. */
  shards: count,
  lostWorkers: count,
  bytesSent: bytes,
  bytesReceived: bytes,
});

/** The position in the run. null before the first step since the run started or was resumed. */
const position = z
  .strictObject({
    stage: text,
    /** Counted from 1. */
    stageNumber: count,
    stages: count,
    /** The steps of the stage that are done, including those before a resume. */
    step: count,
    /** All steps of the stage. */
    steps: count,
    /** The seconds that are left of the stage; null before they are known. */
    secondsLeft: float.min(0).nullable(),
  })
  .nullable();

export const clusterStatus = z.strictObject({
  /** The coordinator's own threads, if they compute. */
  coordinator: nodeStatus.pick({ workers: true, rowsPerSecond: true, shards: true, lostWorkers: true }).nullable(),
  nodes: list(nodeStatus, MOST_NODES),
  position,
  /** The steps since the run started or was resumed. */
  steps: count,
  /** The shards of a step in all. */
  shards: count,
});
export type NodeStatus = z.output<typeof nodeStatus>;
export type ClusterStatus = z.output<typeof clusterStatus>;
