// The status of a run and its nodes, as `pseudolabel status` receives it.
import { z } from 'zod';
import { count, float, list, text } from './fields.js';

/** More than a coordinator lets in. */
const MOST_NODES = 4096;

const bytes = z.int().min(0);

const nodeStatus = z.strictObject({
  name: text,
  address: text,
  workers: count,
  state: z.enum(['working', 'behind', 'leaving']),
  /** Of training steps; null before the first. */
  rowsPerSecond: float.min(0).nullable(),
  /** Of the last step. */
  shards: count,
  lostWorkers: count,
  bytesSent: bytes,
  bytesReceived: bytes,
});

/** null before the first step since the run started or was resumed. */
const position = z
  .strictObject({
    stage: text,
    /** From 1. */
    stageNumber: count,
    stages: count,
    /** Steps of the stage that are done, those before a resume included. */
    step: count,
    /** All steps of the stage. */
    steps: count,
    /** Of the stage; null before it is known. */
    secondsLeft: float.min(0).nullable(),
  })
  .nullable();

export const clusterStatus = z.strictObject({
  /** The coordinator's own threads, where they compute. */
  coordinator: nodeStatus.pick({ workers: true, rowsPerSecond: true, shards: true, lostWorkers: true }).nullable(),
  nodes: list(nodeStatus, MOST_NODES),
  position,
  /** Since the run started or was resumed. */
  steps: count,
  /** Of a step, in all. */
  shards: count,
});
export type NodeStatus = z.output<typeof nodeStatus>;
export type ClusterStatus = z.output<typeof clusterStatus>;
