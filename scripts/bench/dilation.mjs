// Owns time that passes more slowly, so that a machine can be more hosts than it has cores. Each host has one core of its own, but runs on the
// 1/n of one that it shares with n - 1 others; its links have 1/n of their rate and n times their delay. So all takes n times as long, and
// ratios are those of hosts with a core each. What is not n times as long:
//
//   - a host whose neighbours wait has more than 1/n of its core. Where all compute at once and wait for the last, as workers do in a step,
//     that changes nothing; but what one host does for all, such as the coordinator's main thread, may be faster than it should. At most by
//     atWorst(), which takes all of its time for time that nobody else needed the core in;
//   - cores, caches and memory are shared and threads take turns: it is slower than it should, by what a run over as many hosts as
//     cores shows, once dilated and once not.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { openNetwork, whyNoNetworks } from './namespaces.mjs';

/** Milliseconds at full speed that a link saves up while it has nothing to send, where the time of a short message matters. */
const SHORT_MS = 0.02;

/**
 * @param {object} options
 * @param {number} options.hosts
 * @param {number} options.gigabits of each link, each way, as hosts with a core each would have it
 * @param {boolean} [options.short] whether messages are short
 * @param {number} [options.cores] to be used at most
 */
export function openDilated({ hosts, gigabits, short = false, cores = availableParallelism() }) {
  const factor = dilationOf(hosts, cores);
  const bitsPerSecond = (1e9 * gigabits) / factor;
  const network = openNetwork({
    hosts,
    rate: `${bitsPerSecond / 1e6}mbit`,
    ...(short && { burst: Math.ceil((bitsPerSecond / 8) * (SHORT_MS / 1e3)) }),
    cores: Array.from({ length: hosts }, (_, i) => Math.floor(i / factor)),
  });
  return { factor, network };
}

/** Why this machine can have no such hosts, as a sentence; undefined where it can. */
export function whyNoHosts() {
  const why = whyNoNetworks();
  if (why !== undefined) return why;
  return spawnSync('taskset', ['--version']).error ? 'there is no `taskset` (package util-linux)' : undefined;
}

/** Hosts by core, as many on each; 1: each has one of its own. */
export function dilationOf(hosts, cores = availableParallelism()) {
  for (let used = Math.min(hosts, cores); ; used--) if (hosts % used === 0) return hosts / used;
}

/** Milliseconds that a dilated step would take at most, if what is serial in it (milliseconds of a core) were dilated too. */
export const atWorst = (milliseconds, serial, factor) => milliseconds + (factor - 1) * serial;
