// Tests what nodes are shown to do: their activities at the last looks, and that they are gone until they are back.
import { describe, expect, it } from 'vitest';
import { NodeLanes } from '../../../coordinator/dashboard/lanes.js';
import { activityOf, type NodeNow } from '../../../coordinator/executors/cluster/status.js';

describe('the lanes of nodes', () => {
  it('are shares of the looks of the last two seconds, since a node came', () => {
    let nodes: NodeNow[] = [{ name: 'b', doing: 'gradients' }];
    const lanes = new NodeLanes(() => nodes);
    for (const at of [0, 500, 1000]) lanes.look(at);
    nodes = [
      { name: 'b', doing: 'waiting' },
      { name: 'a', doing: 'sums' },
    ];
    lanes.look(2400);
    lanes.look(2450);
    const ofB = [
      ['gradients', 2 / 4],
      ['waiting', 2 / 4],
    ];
    expect(lanes.news()).toEqual([
      { name: 'a', doing: 'sums', shares: [['sums', 1]] },
      { name: 'b', doing: 'waiting', shares: ofB },
    ]);
  });

  it('show who is gone, until they come back', () => {
    let nodes: NodeNow[] = [{ name: 'a', doing: 'waiting' }];
    const lanes = new NodeLanes(() => nodes);
    lanes.look(0);
    nodes = [];
    lanes.left('a');
    expect(lanes.news()).toEqual([{ name: 'a', doing: 'gone', shares: [] }]);
    nodes = [{ name: 'a', doing: 'behind' }];
    lanes.joined('a');
    expect(lanes.news().map(({ doing }) => doing)).toEqual(['behind']);
  });

  it('show of those who are gone only the last', () => {
    const lanes = new NodeLanes(() => []);
    for (let n = 0; n < 40; n++) lanes.left(`node-${n}`);
    expect(lanes.news()).toHaveLength(16);
    expect(lanes.news().map(({ name }) => name)).toContain('node-39');
  });
});

describe('what a node is doing', () => {
  it('is what it was asked for last, then sending, then nothing', () => {
    expect(activityOf('computed', true)).toBe('gradients');
    expect(activityOf('predicted', false)).toBe('labels');
    expect(activityOf('updated', false)).toBe('update');
    expect(activityOf(undefined, true)).toBe('sums');
    expect(activityOf(undefined, false)).toBe('waiting');
  });
});
