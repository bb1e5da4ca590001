// A run by low-rank factors over processes on loopback: autoencoder and classifier train to their end, and a node that is killed in either of
// the two rounds takes no step with it.
import { describe, expect, it } from 'vitest';
import { operatorOfFile, SHARDS, signalling } from './cluster.js';

const FLAGS = [
  ...['--scenario', 'dae', '--quick', '--labels-per-class', '3', '--threshold', '0', '--hidden', '64'],
  ...['--shards', `${SHARDS}`, '--workers', '1', '--max-steps', '24', '--wire', 'powersgd:2'],
];

const operator = operatorOfFile();

describe('a run by low-rank factors', () => {
  it('ends over two nodes, and says what its weights depend on', async () => {
    const coordinator = await operator.coordinator('two', [...FLAGS, '--nodes', '2'], '127.0.0.1:0');
    const workers = ['one', 'two'].map((name) =>
      operator.start([...coordinator.joinWith, '--workers', '1', '--name', name]),
    );
    const { exit, stderr } = await coordinator.ended;
    expect(exit).toBe(0);
    expect(stderr).toContain('strategy: data, since --wire powersgd:2');
    expect(stderr).toContain('sums travel as powersgd:2');
    expect(stderr).not.toContain('is gone');
    for (const { ended } of workers) expect(await ended).toMatchObject({ exit: 0 });
    expect(await operator.result('two')).toMatchObject({ wire: 'powersgd:2', steps: 48 });
  });

  it.each(['left', 'right'])('goes on where a node is killed when it sends %s factors', async (kind) => {
    const name = `killed-${kind}`;
    const coordinator = await operator.coordinator(name, [...FLAGS, '--nodes', '2']);
    const wire = await operator.wireTo(coordinator);
    const victim = operator.worker(wire, 'victim');
    operator.worker(coordinator, 'other');
    await wire.at({ to: 'coordinator', kind, nth: 3 }, signalling(victim, 'SIGKILL'));
    const { exit, stderr } = await coordinator.ended;
    expect(exit).toBe(0);
    expect(stderr).toContain('victim is gone');
    expect(stderr).not.toContain('other is gone');
    expect(await operator.result(name)).toMatchObject({ steps: 48 });
  });
});
