// Tests a tensor-parallel run with processes and sockets, as a user starts it. A node is killed in a step, and the
// result is that of one machine.
import { beforeAll, expect, it } from 'vitest';
import { operatorOfFile, signalling } from './cluster.js';

const FLAGS = [
  ...['--scenario', 'pl', '--strategy', 'tensor', '--hidden', '256', '--shards', '4', '--workers', '1'],
  ...['--labels-per-class', '3', '--max-steps', '60', '--no-test'],
];

const operator = operatorOfFile();
let expected: string;
beforeAll(async () => {
  expected = await operator.alone('alone', FLAGS);
});

it.each([
  { pass: 'forward', kind: 'forward' },
  { pass: 'backward', kind: 'backward' },
])(
  'a tensor-parallel run, of whose nodes one is killed in a $pass pass, ends on the weights of one machine',
  async ({ pass, kind }) => {
    const coordinator = await operator.coordinator(pass, [...FLAGS, '--nodes', '2']);
    const wire = await operator.wireTo(coordinator);
    const [first, second] = [operator.worker(wire, 'first'), operator.worker(coordinator, 'second')];
    await wire.at({ to: 'worker', kind, nth: 20 }, signalling(first, 'SIGKILL'));
    await coordinator.says('first is gone (E_CONNECTION_LOST');
    const { exit, stderr } = await coordinator.ended;
    expect(exit, stderr).toBe(0);
    expect(await operator.sha(pass)).toBe(expected);
    expect((await second.ended).exit).toBe(0);
  },
);
