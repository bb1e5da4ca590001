// Tests that a run on one to four processes on loopback has the bits of a run on threads alone. It may be data-parallel
// or tensor-parallel, with or without TLS, and without the coordinator's own threads.
import { describe, expect, it } from 'vitest';
import { operatorOfFile, SHARDS } from './cluster.js';

/**
 * Returns the flags of a run with one step per epoch and shrunk schedules. Labels of the network count from step 17 on,
 * and are predicted at each step.
 */
const flagsOf = (scenario: string): string[] => [
  ...['--scenario', ...scenario.split(' '), '--quick', '--labels-per-class', '3', '--threshold', '0'],
  ...['--hidden', '64', '--shards', `${SHARDS}`, '--workers', '1', '--max-steps', '24'],
];

const ROWS = '--strategy data';

const TLS = '127.0.0.1:0';
const PLAIN = 'ws://127.0.0.1:0';

/**
 * The runs with processes and sockets. test/integration/cluster.test.ts tests all scenarios with any number of nodes.
 */
const RUNS = [
  { scenario: 'dae', nodes: 3, listen: PLAIN, flags: [] },
  { scenario: `dae ${ROWS}`, nodes: 4, listen: PLAIN, flags: ['--no-local'] },
  { scenario: 'pl', nodes: 2, listen: TLS, flags: ['--no-local'] },
  { scenario: `pl ${ROWS}`, nodes: 1, listen: TLS, flags: [] },
];
const operator = operatorOfFile();

describe('the weights of a run', () => {
  it.each(RUNS)('of $scenario are the same over $nodes nodes, by $listen $flags', async (run) => {
    const { scenario, nodes, listen, flags } = run;
    const options = flagsOf(scenario);
    const name = scenario.replaceAll(' ', '');
    const alone = operator.alone(`${name}-alone`, options);
    const coordinator = await operator.coordinator(name, [...options, ...flags, '--nodes', `${nodes}`], listen);
    const workers = Array.from({ length: nodes }, (_, i) =>
      operator.start([...coordinator.joinWith, '--workers', '1', '--name', `node-${i}`]),
    );
    const { exit, stderr } = await coordinator.ended;
    expect(stderr).not.toContain('is gone');
    expect(exit).toBe(0);
    for (const { ended } of workers)
      expect(await ended).toMatchObject({ exit: 0, stderr: expect.stringContaining('the run is over') });
    expect(await operator.sha(name)).toBe(await alone);
  });
});
