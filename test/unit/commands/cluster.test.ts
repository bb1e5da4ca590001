// Tests what is printed about the nodes of a run.
import { expect, it } from 'vitest';
import { clusterPlace } from '../../../coordinator/commands/cluster.js';
import { wished } from '../../../coordinator/executors/failures.js';
import { PseudolabelError } from '../../../src/errors.js';
import { normalise } from '../../../src/training/config.js';
import { contextFor, terminalWith } from '../terminal/streams.js';

type Place = ReturnType<typeof clusterPlace>;

/** Returns what is printed when a run listens and these things happen. */
function printed(happen: (listener: ReturnType<Place['listener']>) => void): string[] {
  const { terminal, stderr } = terminalWith(false);
  const run = { config: normalise({ shards: 4 }) } as Parameters<typeof clusterPlace>[0];
  const transport = {} as Parameters<typeof clusterPlace>[3];
  happen(clusterPlace(run, { listen: 'here:1' }, contextFor(terminal), transport).listener(() => 4));
  return stderr().trimEnd().split('\n');
}

it('a node that left as it wished has left, and one that is lost is gone, with the reason', () => {
  const lost = new PseudolabelError('E_CONNECTION_LOST', 'it was silent', 'look at it');
  const lines = printed((listener) => {
    listener.left({ name: 'one' }, wished());
    listener.left({ name: 'two' }, lost);
  });
  expect(lines).toEqual([
    'one has left; its work is done by others',
    'two is gone (E_CONNECTION_LOST: it was silent); its work is done by others',
  ]);
});

it('nodes are waited for in three lines and then few, which name no others where nobody is there', () => {
  const lines = printed((listener) => {
    for (let left = 300_000; left > 260_000; left -= 4000) listener.gathering(left < 296_000 ? 1 : 0, 2, left);
  });
  expect(lines).toEqual([
    '0 of 2 nodes are there; waiting 300 s more',
    '0 of 2 nodes are there; waiting 296 s more',
    '1 of 2 nodes are there; waiting 292 s more for the others',
  ]);
});
