// Tests a run on machines with a network between them: hosts of their own (network namespaces), links of 1 Gbit/s, TLS,
// and a cable that is unplugged. The weights are those of threads on one machine.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../coordinator/runs/result.js';
import { writeIdx } from '../write-idx.js';
import { joinArgsIn, type Running, type Spawn, start } from './command.js';

interface Host {
  readonly name: string;
  readonly address: string;
  readonly spawn: Spawn;
  cut(): void;
  restore(): void;
}
interface Network {
  readonly hosts: readonly Host[];
  close(): void;
}
interface Namespaces {
  openNetwork(options: { hosts: number; rate: string }): Network;
  whyNoNetworks(): string | undefined;
}
const source = new URL('../../scripts/bench/namespaces.mjs', import.meta.url).href;
const { openNetwork, whyNoNetworks } = (await import(source)) as Namespaces;

const WHY_SKIPPED = whyNoNetworks();
const RUNS_OF_THE_CLUSTER = 'over hosts with links of 1 Gbit/s';

const SIZE = 28;
const CLASSES = 10;
/** The steps of each of the two stages of a run. The first one has 3.2 MB of gradient. */
const STEPS = 24;

let root: string;
let network: Network | undefined;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-namespaces-'));
});
afterEach(() => network?.close());
afterAll(() => rm(root, { recursive: true }));

/** Writes images that differ, with a bar for each class. */
async function writeImages(folder: string): Promise<void> {
  for (const [name, count] of [
    ['train', 1000],
    ['t10k', 100],
  ] as const) {
    const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
    const pixels = Uint8Array.from({ length: count * SIZE * SIZE }, (_, p) => {
      const image = Math.floor(p / SIZE ** 2);
      const row = Math.floor(p / SIZE) % SIZE;
      return row >> 1 === labels[image]! ? 255 : ((p * 2654435761) >>> 24) >> 2;
    });
    await writeIdx(join(folder, `${name}-images-idx3-ubyte`), [count, SIZE, SIZE], pixels);
    await writeIdx(join(folder, `${name}-labels-idx1-ubyte`), [count], labels);
  }
}

const runFlags = () => [
  ...['train', '--scenario', 'dae', '--data', root, '--hidden', '512', '--labels-per-class', '4', '--shards', '4'],
  ...[
    '--strategy',
    'data',
    '--max-steps',
    `${STEPS}`,
    '--checkpoint-every',
    `${STEPS / 2}`,
    '--checkpoint-seconds',
    '0',
    '--workers',
    '1',
    '--json',
    '-',
  ],
];

function coordinatorOn({ address, spawn: by }: Host, name: string, ...flags: string[]): Running {
  const files = ['--token-file', join(root, 'token'), '--out', join(root, name)];
  // The coordinator reports a node that does not come before the test's own time is over.
  const listening = ['--listen', `${address}:7171`, '--nodes', '2', '--nodes-timeout', '120', ...files, ...flags];
  return start([...runFlags(), ...listening], { XDG_STATE_HOME: join(root, 'state') }, by);
}

/** Starts workers as the coordinator's line says. */
async function workersOn(hosts: readonly Host[], coordinator: Running): Promise<Running[]> {
  const line = await coordinator.says('to join, on another machine');
  const args = joinArgsIn(line);
  return hosts.map((host, i) => start([...args, '--workers', '1', '--name', `host-${i + 2}`], {}, host.spawn));
}

async function weightsOf(run: Running): Promise<string> {
  const { exit, stdout, stderr } = await run.ended;
  expect(exit, stderr).toBe(0);
  return (JSON.parse(stdout) as RunResult).weightsSha256;
}

describe.skipIf(WHY_SKIPPED)(WHY_SKIPPED ? `${RUNS_OF_THE_CLUSTER} (${WHY_SKIPPED})` : RUNS_OF_THE_CLUSTER, () => {
  let expected: string;
  beforeAll(async () => {
    await writeImages(root);
    expected = await weightsOf(start([...runFlags(), '--out', join(root, 'threads')]));
  });

  it('a run has the weights of threads alone, with nodes that compute and sums that travel by TLS', async () => {
    network = openNetwork({ hosts: 3, rate: '1gbit' });
    const [first, ...others] = network.hosts as [Host, ...Host[]];
    const coordinator = coordinatorOn(first, 'whole');
    const workers = await workersOn(others, coordinator);
    expect(await weightsOf(coordinator)).toBe(expected);
    const { stderr } = await coordinator.ended;
    expect(stderr).toMatch(
      /to join, on another machine, .*: .*pseudolabel.* worker wss:.* --fingerprint [\da-f]{64}\n/,
    );
    for (const [i, worker] of workers.entries()) {
      expect(await worker.ended).toMatchObject({ exit: 0, stderr: expect.stringContaining('the run is over') });
      expect(Number(new RegExp(`host-${i + 2} was sent .* and sent (\\S+) MB`).exec(stderr)?.[1])).toBeGreaterThan(1);
    }
  });

  it('a run whose cable is taken out waits for it, lets the nodes in again, and has the same weights', async () => {
    network = openNetwork({ hosts: 3, rate: '1gbit' });
    const [first, ...others] = network.hosts as [Host, ...Host[]];
    const coordinator = coordinatorOn(first, 'cut', '--no-local');
    const workers = await workersOn(others, coordinator);
    await coordinator.says('saved '); // This is the middle of the first stage.
    first.cut();
    // The error is E_CONNECTION_LOST if nothing came any longer, and E_TIMEOUT if the coordinator was sending.
    await Promise.all([2, 3].map((i) => coordinator.says(`host-${i} is gone (E_`)));
    first.restore();
    expect(await weightsOf(coordinator)).toBe(expected);
    for (const worker of workers) {
      const { exit, stderr } = await worker.ended;
      expect(exit, stderr).toBe(0);
      expect(stderr).toMatch(/joined wss:.*\n.*joining again\n(.*\n)*joined wss:.*\n.*the run is over\n$/);
    }
  });

  it('hosts are gone with the process that made them, however it ended', async () => {
    const program = `
      const { openNetwork } = await import(${JSON.stringify(source)});
      const { hosts } = openNetwork({ hosts: 1, rate: '1gbit' });
      const inside = hosts[0].spawn('sh', ['-c', 'echo; exec sleep 600']);
      inside.stdout.on('data', () => console.log(hosts[0].name, inside.pid));`;
    // A process that has ended keeps its number until its parent asks for its exit code.
    const isAlive = (pid: string) =>
      existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 2] });
      const [name, pid] = String((await once(child.stdout!, 'data'))[0])
        .trim()
        .split(' ');
      expect(isAlive(pid!)).toBe(true);
      child.kill(signal);
      await once(child, 'close');
      network = openNetwork({ hosts: 1, rate: '1gbit' }); // This removes what SIGKILL left.
      const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
      expect(stdout).toContain(network.hosts[0]!.name);
      expect(stdout).not.toContain(name);
      await expect.poll(() => isAlive(pid!)).toBe(false);
      network.close();
    }
  });
});
