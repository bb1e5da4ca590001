// A run by hidden units over processes and sockets, as a user starts it: a node is killed, and the result is that of one machine.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RunResult } from '../../coordinator/result.js';
import { pseudolabel, start } from './command.js';

it('a run by hidden units with nodes, of which one is killed, ends on the weights of one machine', {
  timeout: 120_000,
}, async () => {
  const root = await mkdtemp(join(tmpdir(), 'pseudolabel-nodes-'));
  const train = [
    'train',
    '--scenario',
    'pl',
    '--strategy',
    'hidden',
    '--hidden',
    '256',
    '--shards',
    '4',
    '--workers',
    '1',
  ];
  const resultOf = async (name: string) =>
    JSON.parse(await readFile(join(root, name, 'result.json'), 'utf8')) as RunResult;
  try {
    const steps = ['--max-steps', '200', '--no-test'];
    const alone = await pseudolabel(...train, ...steps, '--out', join(root, 'alone'));
    expect(alone.exit, alone.stderr).toBe(0);

    const token = join(root, 'token');
    const listen = ['--listen', '127.0.0.1:0', '--token-file', token, '--nodes', '2'];
    const coordinator = start([...train, ...steps, ...listen, '--out', join(root, 'nodes')]);
    const address = /pseudolabel worker (\S+)/.exec(await coordinator.says('--fingerprint'))![1]!;
    const nodes = ['first', 'second'].map((name) =>
      start(['worker', address, '--token-file', token, '--workers', '1', '--name', name]),
    );
    await coordinator.says('second joined with 1 worker');
    await coordinator.says('/200');
    nodes[0]!.child.kill('SIGKILL');
    const { exit, stderr } = await coordinator.ended;
    expect(exit, stderr).toBe(0);
    expect((await resultOf('nodes')).weightsSha256).toBe((await resultOf('alone')).weightsSha256);
    expect((await nodes[1]!.ended).exit).toBe(0);
    await nodes[0]!.ended;
  } finally {
    await rm(root, { recursive: true });
  }
});
