// Owns a node's life in a run: it joins, joins again when the connection was lost, and ends when the run is over or it has been told to.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PseudolabelError } from '../src/errors.js';
import { type CoordinatorChannel, type HostOptions, hostNode } from './node-host.js';

export interface JoinListener {
  joined(coordinator: string): void;
  /** It will try again. */
  lost(reason: PseudolabelError): void;
}

/** Between two connections; longer after each one that was of no use, so that nobody is kept busy by it. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * @param connect tries as long as it should be tried
 * @param create as hostNode() has it
 * Throws what connect throws, unless it has been told to end, and why the coordinator refused the node.
 */
export async function joinRun(
  connect: () => Promise<CoordinatorChannel>,
  options: HostOptions,
  listener: JoinListener,
  create?: Parameters<typeof hostNode>[2],
): Promise<'finished' | 'left'> {
  const { signal } = options;
  for (let pause = FIRST_PAUSE_MS; ; ) {
    const channel = await connect().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (!channel) return 'left';
    listener.joined(channel.peer);
    const ending = await hostNode(channel, options, create);
    if (!('error' in ending)) return ending.kind;
    if (signal.aborted) return 'left';
    if (ending.kind === 'refused') throw ending.error;
    listener.lost(ending.error);
    pause = ending.isUseful ? FIRST_PAUSE_MS : Math.min(2 * pause, LONGEST_PAUSE_MS);
    await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return 'left';
  }
}
