// A job over two machines that share nothing but a network: namespaces with names, addresses and a cable of their own, for which one has to
// be root. mpirun starts the second rank by the way in which it would over ssh.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pseudolabel } from './command.js';
import { hasMpi, type Options, resultOf, smallRuns, startBy } from './mpirun.js';

/** Names of this test process's own. */
const [HERE, THERE] = [`pl${process.pid}a`, `pl${process.pid}b`] as const;
const NETWORK = '10.213.77.0/24';
const [ADDRESS, OTHER] = ['10.213.77.1', '10.213.77.2'] as const;

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8' });

function hasNamespaces(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  if (spawnSync('unshare', ['--uts', 'true']).status !== 0) return false;
  return spawnSync('ip', ['netns', 'add', HERE], { stdio: 'ignore' }).status === 0;
}

const isPossible = hasMpi() && hasNamespaces();
if (!isPossible)
  console.warn('mpi-network.test.ts: skipped, it needs mpirun, ip(8), and root who may make network namespaces');

describe.skipIf(!isPossible)('a job over a network', () => {
  let root: string;
  let options: Options;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'pseudolabel-mpi-network-'));
    options = await smallRuns(root);
    ip('netns', 'add', THERE);
    ip('link', 'add', 'cable', 'netns', HERE, 'type', 'veth', 'peer', 'name', 'cable', 'netns', THERE);
    for (const [name, address] of [
      [HERE, ADDRESS],
      [THERE, OTHER],
    ] as const) {
      ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable');
      for (const device of ['cable', 'lo']) ip('-n', name, 'link', 'set', device, 'up');
    }
  });
  afterAll(async () => {
    for (const name of [HERE, THERE]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    await rm(root, { recursive: true, force: true });
  });

  const received = (): number => {
    const [{ stats64 }] = JSON.parse(ip('-n', HERE, '-json', '-s', 'link', 'show', 'cable'));
    return stats64.rx.bytes;
  };

  it('ends on the bits of one process, and its gradients go over the network', { timeout: 60_000 }, async () => {
    const agent = join(root, 'agent.sh');
    // In place of ssh: $1 is the machine, what follows a command line.
    await writeFile(
      agent,
      `#!/bin/sh\nshift\nexec ip netns exec ${THERE} unshare --uts sh -c "hostname ${THERE}; $*"\n`,
    );
    await chmod(agent, 0o755);
    const onTcp = ['btl_tcp_if_include', 'oob_tcp_if_include'].flatMap((name) => ['--mca', name, NETWORK]);
    const network = ['--mca', 'plm_rsh_agent', agent, '--mca', 'btl', 'tcp,self', ...onTcp];
    const job = ['mpirun', '-np', '2', '--host', `${ADDRESS}:1,${OTHER}:1`, ...network];
    const within = ['ip', 'netns', 'exec', HERE, 'unshare', '--uts', 'sh', '-c', `hostname ${HERE}; exec "$0" "$@"`];

    const [alone, together] = [join(root, 'alone'), join(root, 'together')];
    const before = received();
    const [expected, ended] = await Promise.all([
      pseudolabel(...options('dae', 30, alone)),
      startBy([...within, ...job], [...options('dae', 30, together), '--collective', 'mpi']).ended,
    ]);
    expect([expected.exit, ended.exit, ended.stderr]).toEqual([
      0,
      0,
      expect.stringContaining('2 ranks with 2 workers'),
    ]);
    const { weightsSha256, job: found } = await resultOf(together);
    expect(found).toEqual({ ranks: 2, workers: 2, sum: 'tree' });
    expect((await resultOf(alone)).weightsSha256).toBe(weightsSha256);
    // Each of 90 updates brings half of its gradient and half of its total: some 3,400 to 6,300 floats of 4 bytes.
    expect(received() - before).toBeGreaterThan(90 * 3_000 * 4);
  });
});
