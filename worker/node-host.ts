// Serves as a cluster node: joins a run, does the coordinator's requests one after another, and writes what it is sent
// into its arena. It decides nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { type GradientCodecName, gradientCodecOf } from '../src/collectives/gradient-codec.js';
import type { ArenaShape } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import { type FingerprintOf, numericsFingerprint } from '../src/models/fingerprint.js';
import type { BulkTag, ChannelListener } from '../src/protocol/channel.js';
import type { CoordinatorChannel, ReadByNode, Reply, ToCoordinator, ToNode } from '../src/protocol/cluster-messages.js';
import { GraphHost } from './graph-host.js';
import { digestOf, failureOf, GradientHost, predictions, TensorHost } from './node-requests.js';
import { ArenaWriter, checkAsked, notAsked, readerOfAsked } from './request-checks.js';
import { createThreadExecutor, type ThreadExecutor } from './thread-executor.js';

export interface HostOptions {
  /** A name for people. The coordinator makes it unique. */
  readonly name: string;
  readonly workers: number;
  /** Aborts when the node is to leave. The node first finishes what it is doing. */
  readonly signal: AbortSignal;
  /** Replaces the fingerprint in tests. */
  readonly fingerprintOf?: FingerprintOf;
}

/** The reason why a node is no longer in a run. */
export type Ending =
  | { readonly kind: 'finished' | 'left' }
  /** refused: trying again is useless. */
  | { readonly kind: 'refused'; readonly error: PseudolabelError }
  /** isUseful: whether the node had answered any request of the run. */
  | { readonly kind: 'lost'; readonly error: PseudolabelError; readonly isUseful: boolean };

/** Milliseconds that a coordinator may take to let a node go. */
const LEAVE_MS = 60_000;

type Request = Extract<ToNode, { request: number }>;
type Asked = Extract<ReadByNode, { request: number }>;

/** The executor, and what serves each kind of request with it. */
interface Hosted {
  readonly executor: ThreadExecutor;
  readonly arenaWriter: ArenaWriter;
  readonly gradients: GradientHost;
  readonly tensor: TensorHost;
  readonly graph: GraphHost;
}

/**
 * Joins the run of the coordinator at the other end, and works for it until one of them ends it.
 * @param create makes the executor; for tests
 */
export function hostNode(
  channel: CoordinatorChannel,
  options: HostOptions,
  create = createThreadExecutor,
): Promise<Ending> {
  return new Host(channel, options, create).run();
}

class Host implements ChannelListener<ToNode> {
  private hosted: Hosted | undefined;
  private readonly models = readerOfAsked();
  /** The requests in progress, which are done in order. Long arrays wait for none of them. */
  private work: Promise<void> = Promise.resolve();
  private ending: Ending | undefined;
  private isUseful = false;
  private isOver = false;
  private end: (ending: Ending) => void = () => undefined;

  constructor(
    private readonly channel: CoordinatorChannel,
    private readonly options: HostOptions,
    private readonly create: typeof createThreadExecutor,
  ) {}

  async run(): Promise<Ending> {
    const { name, workers, signal } = this.options;
    const ended = new Promise<Ending>((resolve) => {
      this.end = resolve;
    });
    let patience: NodeJS.Timeout | undefined;
    const leave = (): void => {
      patience ??= this.leave();
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      this.channel.listen(this);
      await this.channel.send({ kind: 'hello', name, workers }).catch(() => undefined);
      if (signal.aborted) leave();
      return await ended;
    } finally {
      signal.removeEventListener('abort', leave);
      clearTimeout(patience);
      this.isOver = true;
      await this.hosted?.executor.close();
      await this.work;
    }
  }

  message(message: ToNode): void {
    if (message.kind === 'bye') this.ending = { kind: message.reason };
    else if (message.kind === 'refused') {
      this.ending = { kind: 'refused', error: new PseudolabelError(message.code, message.message, message.fix) };
    } else if (message.kind !== 'status') this.work = this.work.then(() => this.serve(message));
  }

  /** Writes a long array at once. The coordinator sends none that a request in progress could read. */
  bulk(tag: BulkTag, payload: Uint8Array): void {
    if (this.hosted?.arenaWriter.write(tag, payload)) return;
    this.channel.close(notAsked(`an array of kind ${tag.kind} with ${payload.length} bytes at ${tag.offset}`));
  }

  closed(error: PseudolabelError): void {
    this.end(this.ending ?? { kind: 'lost', error, isUseful: this.isUseful });
  }

  private leave(): NodeJS.Timeout {
    this.channel.send({ kind: 'leaving' }).catch(() => undefined);
    const reason = new PseudolabelError(
      'E_TIMEOUT',
      'the coordinator did not let the node go',
      'nothing is lost by it',
    );
    return setTimeout(() => this.channel.close(reason), LEAVE_MS).unref();
  }

  private async serve(given: Request): Promise<void> {
    const { request } = given;
    try {
      const message: Asked = this.models.read(given);
      if (message.kind !== 'welcome') checkAsked(message, this.made(message.kind).executor.arena.shape);
      if (message.kind === 'gradients') {
        await this.made(message.kind).gradients.serve(message, (reply) => this.reply(request, reply));
      } else await this.reply(request, await this.answer(message));
      this.isUseful ||= message.kind !== 'welcome';
    } catch (error) {
      if (error instanceof PseudolabelError && error.code === 'E_PROTOCOL') return this.channel.close(error);
      // If the executor cannot be made on this machine, it would fail again.
      if (given.kind === 'welcome' && error instanceof PseudolabelError) this.ending = { kind: 'refused', error };
      await this.reply(request, failureOf(error)).catch(() => undefined);
    }
  }

  private async answer(message: Exclude<Asked, { kind: 'gradients' }>): Promise<Reply> {
    if (message.kind === 'welcome') {
      const { workers, fingerprintOf = numericsFingerprint } = this.options;
      // Runs before there are threads, so that it has the processor to itself.
      const fingerprint = fingerprintOf(message.numerics);
      await this.makeNode({ ...message.shape, workspaces: workers }, message.wire);
      return { kind: 'welcomed', fingerprint };
    }
    const { executor, tensor, graph } = this.made(message.kind);
    switch (message.kind) {
      case 'update': {
        const results = await executor.updateByTotal(message.model, message.optimizer);
        return { kind: 'updated', milliseconds: Math.max(...results.map(({ milliseconds }) => milliseconds)) };
      }
      case 'predict':
        return predictions(executor, message);
      case 'describe':
      case 'rows':
      case 'neighbours':
        return graph.answer(message);
      case 'forward':
      case 'onward':
      case 'backward':
      case 'replay':
      case 'collect':
        return tensor.answer(message);
      case 'checksum':
        return digestOf(executor, message);
    }
  }

  private async makeNode(shape: ArenaShape, wire: GradientCodecName): Promise<void> {
    if (this.hosted) throw notAsked('a second welcome');
    const executor = await this.create({ shape });
    if (this.isOver) return executor.close();
    const { channel } = this;
    const codec = gradientCodecOf(wire, executor.arena);
    this.hosted = {
      executor,
      arenaWriter: new ArenaWriter(executor, codec),
      gradients: new GradientHost(executor, channel, codec),
      tensor: new TensorHost(executor, channel),
      graph: new GraphHost(executor),
    };
  }

  private made(asked: string): Hosted {
    if (!this.hosted) throw notAsked(`${asked} before a welcome`);
    return this.hosted;
  }

  private reply(request: number, reply: Reply): Promise<void> {
    const { lostWorkers } = this.hosted?.executor.health() ?? { lostWorkers: 0 };
    return this.channel.send({ ...reply, request, lostWorkers } as ToCoordinator);
  }
}

export interface JoinListener {
  joined(coordinator: string): void;
  /** The connection was lost. The node will try to join again. */
  lost(reason: PseudolabelError): void;
}

/**
 * Pauses between two connections, in ms. They grow while connections are of no use, so that the coordinator is not kept
 * busy.
 */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Joins a run, joins it again when the connection is lost, and ends when the run is over or the signal aborts.
 * Throws what `connect` throws before the signal aborts, and the reason for which the coordinator refuses the node.
 * @param connect opens a channel; throws when it gives up
 * @param create as in hostNode()
 */
export async function joinRun(
  connect: () => Promise<CoordinatorChannel>,
  options: HostOptions,
  listener: JoinListener,
  create?: Parameters<typeof hostNode>[2],
): Promise<'finished' | 'left'> {
  const { signal } = options;
  for (let pause = FIRST_PAUSE_MS; ; ) {
    const channel = await connect().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (!channel) return 'left';
    listener.joined(channel.peer);
    const ending = await hostNode(channel, options, create);
    if (!('error' in ending)) return ending.kind;
    if (signal.aborted) return 'left';
    if (ending.kind === 'refused') throw ending.error;
    listener.lost(ending.error);
    pause = ending.isUseful ? FIRST_PAUSE_MS : Math.min(2 * pause, LONGEST_PAUSE_MS);
    await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return 'left';
  }
}
