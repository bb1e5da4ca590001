// Owns a node's life in a run: it joins, joins again when the connection was lost, and ends when the run is over or it has been told to.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PseudolabelError } from '../src/errors.js';
import { type CoordinatorChannel, type HostOptions, hostNode } from './host.js';

export interface JoinListener {
  joined(coordinator: string): void;
  /** It will try again. */
  lost(reason: PseudolabelError): void;
}

/** A connection that ends so soon is not tried again at once. */
const SHORT_MS = 5_000;
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
    const began = performance.now();
    listener.joined(channel.peer);
    const ending = await hostNode(channel, options, create);
    if (!('error' in ending)) return ending.kind;
    if (signal.aborted) return 'left';
    if (ending.kind === 'refused') throw ending.error;
    listener.lost(ending.error);
    pause = performance.now() - began < SHORT_MS ? Math.min(2 * pause, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
    await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return 'left';
  }
}
