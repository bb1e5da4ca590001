// Owns what an observer is told of a run's nodes.
import { z } from 'zod';
import { count, text } from './fields.js';

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

export const fleetStatus = z.strictObject({ nodes: z.array(nodeStatus), steps: count, shards: count });
export type NodeStatus = z.output<typeof nodeStatus>;
export type FleetStatus = z.output<typeof fleetStatus>;
