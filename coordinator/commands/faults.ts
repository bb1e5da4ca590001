// Owns the flags of faults on purpose, which --help does not show.
import { type Command, Option } from 'commander';
import type { Executor } from '../../src/engine/executor.js';
import { FaultyExecutor } from '../executors/faulty-executor.js';
import { number } from './options.js';

export interface FaultFlags {
  readonly loseWorker?: readonly number[];
  readonly stallWorker?: readonly number[];
}

export function addFaultOptions(command: Command): void {
  command
    .addOption(new Option('--lose-worker <step>').argParser(listed).hideHelp())
    .addOption(new Option('--stall-worker <step>').argParser(listed).hideHelp());
}

const listed = (text: string, before: readonly number[] = []): number[] => [...before, number(text)];

/** Losses are for nodes that are threads of this process; others can only stall. */
export function withFaults(node: Executor, { loseWorker, stallWorker }: FaultFlags): Executor {
  if (!loseWorker && !stallWorker) return node;
  return new FaultyExecutor(node, new Set(loseWorker), new Set(stallWorker));
}
