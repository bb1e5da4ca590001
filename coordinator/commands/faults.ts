// Owns the flags of faults on purpose, which --help does not show.
import { type Command, Option } from 'commander';
import type { Node } from '../../src/protocol/node.js';
import type { LocalNode } from '../../worker/node.js';
import { FaultyNode } from '../faults.js';
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

export const areFaults = ({ loseWorker, stallWorker }: FaultFlags): boolean =>
  loseWorker !== undefined || stallWorker !== undefined;

export const withFaults = (node: LocalNode, flags: FaultFlags): Node =>
  areFaults(flags) ? new FaultyNode(node, new Set(flags.loseWorker), new Set(flags.stallWorker)) : node;
