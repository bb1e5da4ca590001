// Tests the commands of a run on several machines, from flags to result, with connections within this process.
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { type ClusterFlags, clusterPlace } from '../../coordinator/commands/cluster.js';
import { configFrom, type RunFlags, resumedConfig } from '../../coordinator/commands/run-flags.js';
import { addStatus } from '../../coordinator/commands/status.js';
import { addTrain } from '../../coordinator/commands/train.js';
import { addWorker } from '../../coordinator/commands/worker.js';
import { openSession } from '../../coordinator/compose.js';
import type { NodeChannel } from '../../coordinator/executors/cluster/requests.js';
import { type ResolvedRun, resolveRun, type Session } from '../../coordinator/runs/resolved-run.js';
import { runTraining } from '../../coordinator/runs/run.js';
import type { Transport } from '../../coordinator/server/transport.js';
import { type Dataset, datasetOf, type ImageSet } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import type { ClusterStatus } from '../../src/protocol/status.js';
import { normalise, type Options, type RunConfig } from '../../src/training/config.js';
import { SCENARIOS } from '../../src/training/scenario.js';
import { memoryLink } from '../contract/memory-channel.js';
import { firstImages } from '../images.js';
import { contextFor, terminalWith } from '../unit/terminal/streams.js';

/** Returns a transport within this process: every connection reaches the server, whatever its address. */
function transportWithin(): Transport {
  let server!: ReadableStreamDefaultController<NodeChannel>;
  const arrivals = new ReadableStream<NodeChannel>({
    start(controller) {
      server = controller;
    },
  });
  return {
    listen: async () => ({
      address: 'wss://127.0.0.1:7171',
      fingerprint: undefined,
      tokenFile: 'token',
      joinWith: ['wss://here:1'],
      loopback: undefined,
      arrivals,
      close: () => server.close(),
    }),
    connect: async () => {
      const link = memoryLink();
      server.enqueue(link.coordinator);
      return link.node;
    },
  };
}

/** Returns the first images of MNIST. */
async function someImages(): Promise<Dataset> {
  const { train, test, ...rest } = await loadDataset();
  const first = ({ images, labels }: ImageSet, count: number) => {
    return { count, images: firstImages(images, count), labels: labels.slice(0, count) };
  };
  return datasetOf({ ...rest, train: first(train, 900), test: first(test!, 300) });
}

const configOf = (scenario: RunConfig['scenario'], also: Options = {}): RunConfig =>
  normalise({ scenario, hidden: 32, labelsPerClass: 4, validation: 100, workers: 1, shards: 4, maxSteps: 4, ...also });

async function resultOf(session: Session, run: ResolvedRun) {
  try {
    const { weightsSha256, testAccuracy, validationAccuracy, wire } = await runTraining(run, session, {
      directory: undefined,
      listener: {},
      signal: new AbortController().signal,
      resumeFrom: undefined,
      validateEvery: 0,
      test: true,
    });
    return { weightsSha256, testAccuracy, validationAccuracy, wire };
  } finally {
    await session.close();
  }
}

const openClusterSession = async (...of: Parameters<typeof clusterPlace>): Promise<Session> =>
  openSession([of[0]], clusterPlace(...of));

function person(typed: readonly string[] = []) {
  const { terminal, stdout, stderr } = terminalWith(false);
  return { context: contextFor(terminal, typed), stdout, stderr };
}

async function command(add: typeof addWorker, transport: Transport, args: readonly string[]) {
  const { context, stdout, stderr } = person();
  const program = new Command().exitOverride();
  add(program, context, transport);
  await program.parseAsync([...args], { from: 'user' });
  return { stdout: stdout(), stderr: stderr() };
}

describe('a run with nodes', () => {
  it.each(SCENARIOS.flatMap((scenario) => [[scenario, {}] as const, [scenario, { strategy: 'data' }] as const]))(
    'of scenario %s has the result of a run without, with %j',
    async (scenario, strategy) => {
      const run = resolveRun(configOf(scenario, strategy), await someImages());
      const expected = await resultOf(await openSession([run]), run);

      const transport = transportWithin();
      const { context, stderr } = person();
      const opening = openClusterSession(run, { listen: 'here:1', nodes: 2 }, context, transport);
      const flags = ['worker', 'here:1', '--token-file', 'token', '--workers', '1', '--name', 'helper'];
      const workers = [command(addWorker, transport, flags), command(addWorker, transport, flags)];
      const session = await opening;
      const status = await command(addStatus, transport, ['status', 'here:1', '--token-file', 'token', '--json', '-']);
      const { steps, nodes } = JSON.parse(status.stdout) as ClusterStatus;
      expect([steps, nodes.map(({ name }) => name).sort()]).toEqual([0, ['helper', 'helper-2']]);
      expect(status.stderr).toContain('2 nodes besides the coordinator');

      expect(await resultOf(session, run)).toEqual(expected);
      expect(stderr()).toContain(': pseudolabel worker wss://here:1\n');
      expect(stderr()).toContain(': pseudolabel status wss://here:1\n');
      expect(stderr()).toContain('0 of 2 nodes are there');
      expect(stderr()).toContain('helper-2 joined with 1 worker');
      for (const worker of workers) {
        const { stderr: told } = await worker;
        expect(told).toContain('joined memory with 1 worker');
        expect(told).toContain('the run is over');
      }
    },
  );

  it.each([
    [{ nodes: -1 }, 'E_USAGE'],
    [{ nodes: 4 }, 'E_USAGE'], // With the coordinator's own threads, there are five members for four shards.
    [{ nodesTimeout: 0 }, 'E_USAGE'],
    [{ nodes: 1, nodesTimeout: 0.05 }, 'E_NODES'],
  ] as const)('that is asked for with %j ends in %s', async (flags, code) => {
    const { context } = person();
    const opening = openClusterSession(
      resolveRun(configOf('nn'), await someImages()),
      { listen: 'here:1', ...flags },
      context,
      transportWithin(),
    );
    await expect(opening).rejects.toMatchObject({ code });
  });

  it('has as many shards as without nodes, however many are expected (case 24)', async () => {
    const shardsFor = async (flags: ClusterFlags & RunFlags) => (await configFrom(flags)).shards;
    const alone = await shardsFor({ workers: 1 });
    expect(await shardsFor({ workers: 3, listen: 'here:1', nodes: 2 })).toBe(alone);
    expect(await shardsFor({ workers: 3, listen: 'here:1', nodes: 2, local: false })).toBe(alone);
    expect(await shardsFor({ workers: 3, listen: 'here:1', nodes: 2, shards: 5 })).toBe(5);
  });

  it('that is resumed keeps its shards, however many nodes are expected, and its strategy', () => {
    const saved = normalise({ workers: 2, shards: 4, strategy: 'data' });
    const resumed = resumedConfig(saved, { workers: 1, listen: 'here:1', nodes: 2 });
    expect(resumed).toMatchObject({ workers: 1, shards: 4, strategy: 'data' });
  });

  it('that rounds what travels says so, in its result too', async () => {
    const config = configOf('nn', { wire: 'bf16' });
    const transport = transportWithin();
    const { context, stderr } = person();
    const run = resolveRun(config, await someImages());
    const opening = openClusterSession(run, { listen: 'here:1', nodes: 1 }, context, transport);
    const worker = command(addWorker, transport, ['worker', 'here:1', '--token-file', 'token', '--workers', '1']);
    const { wire } = await resultOf(await opening, run);
    expect(wire).toBe('bf16');
    expect(stderr()).toContain('sums travel as bf16');
    await worker;
  });

  it('is what --wire is for', async () => {
    const training = command(addTrain, transportWithin(), ['train', '--wire', 'bf16']);
    await expect(training).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('--wire') });
  });

  it('cannot be told to lose a worker, which it would not do', async () => {
    const args = ['train', '--listen', 'here:1', '--lose-worker', '3'];
    await expect(command(addTrain, transportWithin(), args)).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('that is stopped while it waits for nodes says that nothing was trained, and the whole command again (case 32)', async () => {
    const typed = ['train', '--listen', 'here:1', '--nodes', '1'];
    const { context, stderr } = person(typed);
    const stop = new AbortController();
    const opening = openClusterSession(
      resolveRun(configOf('nn'), await someImages()),
      { listen: 'here:1', nodes: 1 },
      { ...context, signal: stop.signal },
      transportWithin(),
    );
    await expect.poll(stderr).toMatch(/^0 of 1 nodes are there; waiting \d+ s more$/m);
    stop.abort();
    await expect(opening).rejects.toMatchObject({
      code: 'E_INTERRUPTED',
      message: expect.stringContaining('before the first step'),
      fix: `nothing was trained; start it again with: pseudolabel ${typed.join(' ')}`,
    });
  });
});
