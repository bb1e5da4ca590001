// The task that finds nearest neighbours, for some blocks of the rows of a graph.
import { nearest } from '../graph/neighbours.js';
import { Rows } from '../graph/rows.js';
import type { NeighboursResult, NeighboursTask } from './tasks.js';

export function neighbours({ memory, shape, start, end, neighbours, workspace }: NeighboursTask): NeighboursResult {
  const began = performance.now();
  const found = nearest(new Rows(memory, shape), [start, end], neighbours, workspace);
  return { ...found, milliseconds: performance.now() - began };
}
