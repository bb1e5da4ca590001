// Virtual hosts: network namespaces of this machine, joined by links of a given rate, for tests and benchmarks of a
// cluster. They share processors, memory and disk; only the network is their own. The switch is a namespace too, so
// that the machine's own network is never touched. Needs Linux, root and iproute2.
//
//   host 1 [eth0]---rate---[port1] switch [port2]---rate---[eth0] host 2

import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** A name says which process made it. Those of processes that have ended are removed. */
const OWNED = /^pseudolabel-(\d+)-/;
const SUBNET = '10.77.0';
const MOST_HOSTS = 200;
/** How long an idle link may send at full speed afterwards. TCP needs some of that; less is more exact. */
const BURST_MS = 1;
/** The longest packet, with its head. */
const LEAST_BURST = 1600;
/** What is sent faster than the rate waits so long at most; then it is dropped, as by a switch. */
const QUEUE_MS = 20;
const UNITS = { kbit: 1e3, mbit: 1e6, gbit: 1e9 };

const SIGNALS = /** @type {const} */ ({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 });

let networks = 0;
/** @type {Set<Network>} */
const open = new Set();

/**
 * Makes as many hosts, each with an address that the others reach.
 * @param {object} options
 * @param {number} options.hosts
 * @param {string} options.rate of each link, each way, such as '1gbit'
 * @param {number} [options.burst] in bytes; the less, the more exact is the time of a short message, and the more work
 * a long one
 * @param {readonly number[]} [options.cores] the core of each host's processes; left out: they have all cores
 * @returns {Network}
 * Throws an Error that says what is missing on this machine. Nothing is left behind then.
 */
export function openNetwork({ hosts, rate, burst = burstOf(rate), cores = [] }) {
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > MOST_HOSTS) throw new RangeError(`${hosts} hosts`);
  sweep();
  const network = new Network(hosts, { rate, burst: Math.max(LEAST_BURST, burst), cores });
  if (open.size === 0) removeAtTheEnd(true);
  open.add(network);
  try {
    network.build();
    return network;
  } catch (error) {
    network.close();
    throw error;
  }
}

/** Why this machine can have no such networks, as a sentence; undefined where it can. Tries it. */
export function whyNoNetworks() {
  if (process.platform !== 'linux') return 'network namespaces are of Linux alone';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    openNetwork({ hosts: 1, rate: '1gbit' }).close();
    return undefined;
  } catch (error) {
    return `network namespaces do not work here: ${error.message}`;
  }
}

export class Network {
  /** @type {readonly Host[]} */
  hosts;

  /** @param {number} count @param {{rate: string, burst: number, cores: readonly number[]}} options */
  constructor(count, { rate, burst, cores }) {
    const name = `pseudolabel-${process.pid}-${++networks}`;
    this.shape = ['root', 'tbf', 'rate', rate, 'burst', `${burst}`, 'latency', `${QUEUE_MS}ms`];
    this.switch = `${name}-switch`;
    this.hosts = Array.from(
      { length: count },
      (_, i) => new Host(`${name}-host${i + 1}`, i + 1, this.switch, cores[i]),
    );
  }

  build() {
    const { shape } = this;
    run('ip', 'netns', 'add', this.switch);
    run('ip', '-n', this.switch, 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', '-n', this.switch, 'link', 'set', 'bridge', 'up');
    for (const { name, port, address } of this.hosts) {
      run('ip', 'netns', 'add', name);
      run('ip', '-n', this.switch, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
      run('ip', '-n', this.switch, 'link', 'set', port, 'master', 'bridge', 'up');
      run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
      run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
      run('tc', '-n', this.switch, 'qdisc', 'add', 'dev', port, ...shape);
      run('tc', '-n', name, 'qdisc', 'add', 'dev', 'eth0', ...shape);
    }
  }

  /** Ends every process in it, and removes all that was made. */
  close() {
    if (!open.delete(this)) return;
    for (const { children } of this.hosts) for (const child of children) child.kill('SIGKILL');
    for (const name of [...this.hosts.map((host) => host.name), this.switch]) remove(name);
    if (open.size === 0) removeAtTheEnd(false);
  }
}

class Host {
  /**
   * @param {string} name of its namespace @param {number} number from 1 @param {string} hub namespace of the switch
   * @param {number} [core]
   */
  constructor(name, number, hub, core) {
    this.name = name;
    this.address = `${SUBNET}.${number}`;
    this.port = `port${number}`;
    this.hub = hub;
    this.pin = core === undefined ? [] : ['taskset', '--cpu-list', `${core}`];
    /**
     * Those that are still on their way into the namespace too. @type {Set<import('node:child_process').ChildProcess>}
     */
    this.children = new Set();
  }

  /**
   * Starts a process in this host, as spawn() of node:child_process does. The child is the process itself.
   * @param {string} program
   * @param {readonly string[]} args
   * @param {import('node:child_process').SpawnOptions} [options]
   */
  spawn = (program, args, options = {}) => {
    const child = spawn('ip', ['netns', 'exec', this.name, ...this.pin, program, ...args], options);
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    return child;
  };

  /** Takes its cable out. Connections do not end by that: what is sent is lost. */
  cut() {
    run('ip', '-n', this.hub, 'link', 'set', this.port, 'down');
  }

  restore() {
    run('ip', '-n', this.hub, 'link', 'set', this.port, 'up');
  }
}

/** Removes what is left of processes that ended without doing so. */
function sweep() {
  for (const line of run('ip', 'netns', 'list').split('\n')) {
    const name = line.split(' ')[0] ?? '';
    const owner = OWNED.exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) remove(name);
  }
}

/** @param {string} name of a namespace, which may not be there */
function remove(name) {
  const { stdout, status } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
  if (status !== 0) return;
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  spawnSync('ip', ['netns', 'delete', name]);
}

/** @param {boolean} on */
function removeAtTheEnd(on) {
  const change = on ? 'on' : 'off';
  process[change]('exit', removeAll);
  for (const name of Object.keys(SIGNALS)) process[change](name, ended);
}

function removeAll() {
  for (const network of open) network.close();
}

/** @param {keyof typeof SIGNALS} name */
function ended(name) {
  removeAll();
  process.exit(128 + SIGNALS[name]);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** In bytes. @param {string} rate */
function burstOf(rate) {
  const [, number, unit] = /^([\d.]+)(kbit|mbit|gbit)$/.exec(rate) ?? [];
  if (number === undefined) throw new RangeError(`rate ${rate}: give kbit, mbit or gbit, such as 1gbit`);
  const bytesPerSecond = (Number(number) * UNITS[unit]) / 8;
  return Math.max(16_384, Math.ceil((bytesPerSecond * BURST_MS) / 1000));
}

/** @param {string} program @param {...string} args @returns {string} what it wrote; throws what it complained of */
function run(program, ...args) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw new Error(error.code === 'ENOENT' ? `there is no \`${program}\` (package iproute2)` : error.message);
  if (status !== 0) throw new Error(`\`${[program, ...args].join(' ')}\`: ${stderr.trim() || `exit code ${status}`}`);
  return stdout;
}

// Time that passes more slowly (dilation), so that a machine can be more hosts than it has cores. Each host has the 1/n
// of a core that it shares with n - 1 others; its links have 1/n of their rate and n times their delay. So all takes n
// times as long, and ratios are those of hosts with a core each. Two things are not n times as long:
//
//   - A host whose neighbours wait has more than 1/n of its core. Where all compute at once and wait for the last, as
//     workers do in a step, that changes nothing. But what one host does for all, such as the coordinator's main
//     thread, may be too fast: at most by atWorst(), which takes all of that time for time in which nobody else needed
//     the core.
//   - Cores, caches and memory are shared and threads take turns. A run over as many hosts as cores, once dilated and
//     once not, shows what that costs.

/**
 * Milliseconds at full speed that a link saves up while it has nothing to send, where the time of a short message
 * matters.
 */
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

/**
 * Milliseconds that a dilated step would take at most, if what is serial in it (milliseconds of a core) were dilated
 * too.
 */
export const atWorst = (milliseconds, serial, factor) => milliseconds + (factor - 1) * serial;
