// Tests which images a node of a cluster is sent.
import { afterEach, describe, expect, it } from 'vitest';
import type { Images } from '../../src/data/images.js';
import { shardRange } from '../../src/data/shards.js';
import { BULK_KINDS, IMAGE_SETS, type ImageSet, type ToNode } from '../../src/protocol/cluster-messages.js';
import { CONTENT } from './executor.contract.js';
import { IMAGES, LENGTH, MODEL, SHAPE, SHARDS, trainMixed } from './executor-work.js';
import { type TestCluster, testCluster } from './test-cluster.js';

let made: TestCluster | undefined;
afterEach(() => made?.cluster.close());

/** An arena without room for tensor shards. Each tensor shard reads all images. */
const BY_ROWS = { ...CONTENT, shape: { ...SHAPE, tensorShardBytes: 0, shardGroupBytes: 0 } };
const EVALUATION_RANGES = [
  [0, 50],
  [50, 100],
] as const;

/** Returns which images a request is about: their set, and their range in it. */
function imagesOf(message: ToNode): (readonly [ImageSet, readonly [first: number, end: number]])[] {
  if (message.kind === 'gradients')
    return message.steps
      .filter(({ unlabelled }) => unlabelled)
      .map(({ shard }) => ['unlabelled', shardRange(SHAPE.unlabelled, SHARDS, shard)] as const);
  if (message.kind !== 'predict') return [];
  return message.ranges.map((range) => [message.set, range] as const);
}

/** Returns the positions of the images that are there, and checks these images. Memory is zero if no image was sent. */
function heldOf(there: Images, content: Images): number[] {
  const held: number[] = [];
  for (let i = 0; i < content.count; i++) {
    const image = there.at(i);
    if (image.every((pixel) => pixel === 0)) continue;
    expect(Buffer.compare(image, content.at(i))).toBe(0);
    held.push(i);
  }
  return held;
}

describe('a cluster', () => {
  it('sends a node the images that it is asked about only, and no image twice', async () => {
    made = await testCluster(BY_ROWS, { local: 1, remotes: [] });
    const { cluster, join } = made;
    const sent = new Map<string, number>();
    // Shards and ranges move with the measured speeds, so the requests to a node say which images it needs.
    const asked = { unlabelled: new Set<number>(), evaluation: new Set<number>() };
    const { link, node } = await join(1);
    link.toNode = (parcel) => {
      if ('tag' in parcel) {
        const kind = BULK_KINDS[parcel.tag.kind]!;
        sent.set(kind, (sent.get(kind) ?? 0) + parcel.payload.length);
      } else
        for (const [region, [first, end]] of imagesOf(parcel.message))
          for (let i = first; i < end; i++) asked[region].add(i);
      return [parcel];
    };
    await trainMixed(cluster);
    for (let twice = 0; twice < 2; twice++) await cluster.predict(MODEL, 'evaluation', EVALUATION_RANGES);

    const { arena } = await node;
    const { bytesSent } = cluster.status().nodes[0]!;
    const others = [...sent].reduce((sum, [kind, bytes]) => sum + (kind === 'unlabelled' ? 0 : bytes), 0);
    const bytesOf = { unlabelled: bytesSent - others, evaluation: sent.get('evaluation') ?? 0 };
    for (const region of IMAGE_SETS) {
      const held = heldOf(arena.images[region], IMAGES[region]);
      expect(held, region).toEqual([...asked[region]].sort((a, b) => a - b));
      expect(bytesOf[region], region).toBe(held.length * SHAPE.pixels);
    }
    expect(sent.get('parameters')).toBe(LENGTH * 4);
  });
});
