// Which images a node of a cluster is sent.
import { afterEach, describe, expect, it } from 'vitest';
import { shardRange } from '../../src/data/shards.js';
import { bytes } from '../../src/engine/arena.js';
import { BULK_KINDS, type ToNode } from '../../src/protocol/cluster-messages.js';
import { CONTENT } from './executor.contract.js';
import { LENGTH, MODEL, SHAPE, SHARDS, trainMixed } from './executor-work.js';
import { type TestCluster, testCluster } from './test-cluster.js';

let made: TestCluster | undefined;
afterEach(() => made?.cluster.close());

/** Without room for tensor shards, each of which reads all images. */
const BY_ROWS = { ...CONTENT, shape: { ...SHAPE, tensorShardBytes: 0, outputGroupBytes: 0 } };
const EVALUATION_RANGES = [
  [0, 50],
  [50, 100],
] as const;

/** Of which regions, and where in them, are the images that a request is about. */
function imagesOf(
  message: ToNode,
): (readonly ['images' | 'evaluationImages', readonly [first: number, end: number]])[] {
  if (message.kind === 'gradients')
    return message.steps
      .filter(({ unlabelled }) => unlabelled)
      .map(({ shard }) => ['images', shardRange(SHAPE.unlabelled, SHARDS, shard)] as const);
  if (message.kind !== 'predict') return [];
  const region = message.set === 'unlabelled' ? 'images' : 'evaluationImages';
  return message.ranges.map((range) => [region, range] as const);
}

/** Positions of the images that are there: memory is zero where none was sent. Those that are there are as they should be. */
function heldOf(region: Uint8Array, content: Uint8Array): number[] {
  const { pixels } = SHAPE;
  const held: number[] = [];
  for (let i = 0; i < content.length / pixels; i++) {
    const image = region.subarray(i * pixels, (i + 1) * pixels);
    if (image.every((pixel) => pixel === 0)) continue;
    expect(Buffer.compare(image, content.subarray(i * pixels, (i + 1) * pixels))).toBe(0);
    held.push(i);
  }
  return held;
}

describe('a cluster', () => {
  it('sends a node the images that it is asked about only, and no image twice', async () => {
    made = await testCluster(BY_ROWS, { local: 1, remotes: [] });
    const { cluster, join } = made;
    const sent = new Map<string, number>();
    // Shards and ranges move with the speeds that are measured, so what a node was asked for says what it has to have.
    const asked = { images: new Set<number>(), evaluationImages: new Set<number>() };
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
    const others = [...sent].reduce((sum, [kind, bytes]) => sum + (kind === 'images' ? 0 : bytes), 0);
    const bytesOf = { images: bytesSent - others, evaluationImages: sent.get('evaluationImages') ?? 0 };
    for (const region of ['images', 'evaluationImages'] as const) {
      const held = heldOf(bytes(arena, region, CONTENT[region].length), CONTENT[region]);
      expect(held, region).toEqual([...asked[region]].sort((a, b) => a - b));
      expect(bytesOf[region], region).toBe(held.length * SHAPE.pixels);
    }
    expect(sent.get('parameters')).toBe(LENGTH * 4);
  });
});
