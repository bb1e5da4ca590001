// A coordinator and its nodes while they are measured, each a process with one thread. They are started once and kept,
// so that rounds of several such clusters can take turns.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';
import { LAUNCHER } from './measuring.mjs';

const COORDINATOR = fileURLToPath(new URL('cluster-coordinator.mjs', import.meta.url));
const RELAY = fileURLToPath(new URL('delay.mjs', import.meta.url));
const WARMUP = 12;

export class Contestant {
  /**
   * @param {object} of
   * @param {number} of.nodes the coordinator's own thread is one
   * @param {boolean} [of.tls]
   * @param {string} [of.wire]
   * @param {string} [of.strategy]
   * @param {readonly {address: string, spawn: typeof spawn}[]} [of.hosts] the coordinator's first; left out: this
   * machine
   * @param {number} [of.delay] milliseconds that every byte takes longer each way, between the coordinator and any node
   * @param {string} folder for its token and certificate
   */
  constructor({ nodes, tls = false, wire = 'f32', strategy = 'data', hosts = [], delay = 0 }, folder) {
    Object.assign(this, { nodes, tls, wire, strategy, hosts, delay, folder, workers: [], relays: [] });
  }

  async start() {
    const { nodes, tls, wire, strategy, hosts, folder } = this;
    const env = completed(process.env);
    const settings = { nodes: nodes - 1, listen: hosts[0]?.address ?? '127.0.0.1', tls, wire, strategy, folder };
    this.coordinator = this.spawnOn(0)(process.execPath, [COORDINATOR, JSON.stringify(settings)], {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { address, fingerprint } = await this.told();
    for (let i = 1; i < nodes; i++) {
      const pin = fingerprint ? ['--fingerprint', fingerprint] : ['--insecure'];
      const flags = ['--token-file', join(folder, 'token'), '--workers', '1', ...pin];
      const options = { env, stdio: ['ignore', 'ignore', 'ignore'] };
      const to = this.delay > 0 ? await this.far(i, new URL(address)) : address;
      this.workers.push(this.spawnOn(i)(process.execPath, [LAUNCHER, 'worker', to, ...flags], options));
    }
    await this.told();
    await this.order('steps', { count: WARMUP });
  }

  order(order, options = {}) {
    this.coordinator.send({ order, ...options });
    return this.told();
  }

  async told() {
    const ended = new AbortController();
    const end = once(this.coordinator, 'exit', { signal: ended.signal }).then(([code]) => {
      throw new Error(`the coordinator ended with ${code}`);
    });
    try {
      const [message] = await Promise.race([once(this.coordinator, 'message'), end]);
      return message;
    } finally {
      ended.abort();
      end.catch(() => undefined);
    }
  }

  /** Nanoseconds that main threads have had a core for so far: the coordinator's, and each node's. Linux. */
  mainThreads() {
    return [this.coordinator, ...this.workers].map(({ pid }) => {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]);
    });
  }

  end() {
    for (const child of [this.coordinator, ...this.workers, ...this.relays]) child?.kill('SIGKILL');
  }

  spawnOn(i) {
    return this.hosts[i]?.spawn ?? spawn;
  }

  /**
   * An address by which a node reaches the coordinator as if it were far. The relay is on the node's host, so that a
   * link is passed once.
   */
  async far(i, { protocol, host }) {
    const args = [RELAY, '127.0.0.1:0', host, `${this.delay}`];
    const relay = this.spawnOn(i)(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.relays.push(relay);
    const [port] = await once(createInterface({ input: relay.stdout }), 'line');
    return `${protocol}//127.0.0.1:${port}`;
  }
}
