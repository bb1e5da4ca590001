// Tests a job on two hosts with a link of 1 Gbit/s between them (network namespaces, with host names of their own).
// mpirun starts the second rank as it would over ssh.
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pseudolabel, resultOf } from './command.js';
import { hasMpi, type Options, smallRuns, startBy, WHY_SKIPPED } from './mpirun.js';

interface Network {
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  close(): void;
}
interface Namespaces {
  openNetwork(options: { hosts: number; rate: string }): Network;
  whyNoNetworks(): string | undefined;
}
const source = new URL('../../scripts/bench/namespaces.mjs', import.meta.url).href;
const { openNetwork, whyNoNetworks } = (await import(source)) as Namespaces;

const whyNot = whyNoNetworks() ?? (hasMpi() ? undefined : WHY_SKIPPED);
if (whyNot !== undefined) console.warn(`mpi-network.test.ts: skipped, ${whyNot}`);

describe.skipIf(whyNot !== undefined)('a job over a network', () => {
  let root: string;
  let options: Options;
  let network: Network;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'pseudolabel-mpi-network-'));
    options = await smallRuns(root);
    network = openNetwork({ hosts: 2, rate: '1gbit' });
  });
  afterAll(async () => {
    network.close();
    await rm(root, { recursive: true, force: true });
  });

  /** Returns the bytes that a host received over the network. */
  function receivedBy(host: string): number {
    const link = execFileSync('ip', ['-n', host, '-json', '-s', 'link', 'show', 'eth0'], { encoding: 'utf8' });
    const [{ stats64 }] = JSON.parse(link) as [{ stats64: { rx: { bytes: number } } }];
    return stats64.rx.bytes;
  }

  it('ends on the bits of one process, and its gradients go over the network', async () => {
    const [here, there] = network.hosts as [Network['hosts'][number], Network['hosts'][number]];
    const agent = join(root, 'agent.sh');
    // This takes the place of ssh: $1 is the machine, and the rest is a command line.
    const asHost = (name: string) => `ip netns exec ${name} unshare --uts sh -c`;
    await writeFile(agent, `#!/bin/sh\nshift\nexec ${asHost(there.name)} "hostname ${there.name}; $*"\n`);
    await chmod(agent, 0o755);
    const onTcp = ['btl_tcp_if_include', 'oob_tcp_if_include'].flatMap((name) => ['--mca', name, 'eth0']);
    const by = ['--mca', 'plm_rsh_agent', agent, '--mca', 'btl', 'tcp,self', ...onTcp];
    const job = ['mpirun', '-np', '2', '--host', `${here.address}:1,${there.address}:1`, ...by];
    const within = [...asHost(here.name).split(' '), `hostname ${here.name}; exec "$0" "$@"`];

    const rows = ['--strategy', 'data'];
    const [alone, together] = [join(root, 'alone'), join(root, 'together')];
    const before = receivedBy(here.name);
    const [expected, ended] = await Promise.all([
      pseudolabel(...options('dae', 30, alone), ...rows),
      startBy([...within, ...job], [...options('dae', 30, together), ...rows, '--collective', 'mpi']).ended,
    ]);
    expect([expected.exit, ended.exit, ended.stderr]).toEqual([
      0,
      0,
      expect.stringContaining('2 ranks with 2 workers'),
    ]);
    const { weightsSha256, job: found } = await resultOf(together);
    expect(found).toEqual({ ranks: 2, workers: 2, sum: 'tree' });
    expect((await resultOf(alone)).weightsSha256).toBe(weightsSha256);
    // Each of 90 updates receives half of its gradient and half of its total, about 3,400 to 6,300 floats of 4 bytes.
    expect(receivedBy(here.name) - before).toBeGreaterThan(90 * 3_000 * 4);
  });
});
