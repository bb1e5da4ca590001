// Owns what an observer is told of a run's nodes.
import { z } from 'zod';
import { count, list, text } from './fields.js';

/** More than a coordinator takes. */
const MOST_NODES = 4096;

const nodeStatus = z.strictObject({
  name: text,
  address: text,
  workers: count,
  state: z.enum(['working', 'behind', 'leaving']),
  /** Of training steps; null before the first. */
  rowsPerSecond: z.number().nullable(),
  /** Of the last step. */
  shards: count,
  lostWorkers: count,
  bytesSent: z.number(),
  bytesReceived: z.number(),
});

export const fleetStatus = z.strictObject({ nodes: list(nodeStatus, MOST_NODES), steps: count, shards: count });
export type NodeStatus = z.output<typeof nodeStatus>;
export type FleetStatus = z.output<typeof fleetStatus>;
