// Owns a node's end of the channel: it does what the coordinator asks on a local node, one request after another, and fills its arena with
// what it is sent. It decides nothing.
import { sha256OfParameters } from '../src/checksum.js';
import { type GradientCodecName, gradientCodecOf } from '../src/collectives/gradient-codec.js';
import { type ArenaShape, floats } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import type { Fingerprints } from '../src/models/dense/fingerprint.js';
import type { BulkTag, Channel, ChannelListener } from '../src/protocol/channel.js';
import type { Reply, ToCoordinator, ToNode } from '../src/protocol/cluster-messages.js';
import { bytesOf } from '../src/protocol/floats.js';
import { ArenaWriter } from './arena-writer.js';
import { GradientHost } from './gradient-host.js';
import { checkAsked, notAsked } from './request-checks.js';
import { TensorHost } from './tensor-host.js';
import { createThreadExecutor, type ThreadExecutor } from './thread-executor.js';

export type CoordinatorChannel = Channel<ToCoordinator, ToNode>;

export interface HostOptions {
  /** For people; the coordinator makes it unique. */
  readonly name: string;
  readonly workers: number;
  /** Of this machine's numerics. */
  readonly fingerprints: Fingerprints;
  /** Aborts when the node should leave: it finishes what it is doing first. */
  readonly signal: AbortSignal;
}

/** Why a node is no longer in a run. */
export type Ending =
  | { readonly kind: 'finished' | 'left' }
  /** refused: of no use to try again. */
  | { readonly kind: 'refused'; readonly error: PseudolabelError }
  /** isUseful: whether it had answered any request of the run. */
  | { readonly kind: 'lost'; readonly error: PseudolabelError; readonly isUseful: boolean };

/** How long a coordinator may take to let a node go. */
const LEAVE_MS = 60_000;

type Request = Extract<ToNode, { request: number }>;

/** The node, and what does its parts of a run. */
interface Hosted {
  readonly node: ThreadExecutor;
  readonly arenaWriter: ArenaWriter;
  readonly gradients: GradientHost;
  readonly slices: TensorHost;
}

/**
 * Joins the run of the coordinator at the other end, and works for it until one of them ends it.
 * @param create makes the node; for tests
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
  /** Requests are done in order, and long arrays wait for none. */
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
    const { name, workers, fingerprints, signal } = this.options;
    const ended = new Promise<Ending>((resolve) => {
      this.end = resolve;
    });
    const leave = () => this.leave();
    signal.addEventListener('abort', leave, { once: true });
    try {
      this.channel.listen(this);
      await this.channel.send({ kind: 'hello', name, workers, fingerprints }).catch(() => undefined);
      if (signal.aborted) leave();
      return await ended;
    } finally {
      signal.removeEventListener('abort', leave);
      this.isOver = true;
      await this.hosted?.node.close();
      await this.work;
    }
  }

  message(message: ToNode): void {
    if (message.kind === 'bye') this.ending = { kind: message.reason };
    else if (message.kind === 'refused') {
      this.ending = { kind: 'refused', error: new PseudolabelError(message.code, message.message, message.fix) };
    } else if (message.kind !== 'status') this.work = this.work.then(() => this.serve(message));
  }

  /** Long arrays are written where they belong at once: the coordinator sends none that a request in progress could read. */
  bulk(tag: BulkTag, payload: Uint8Array): void {
    if (this.hosted?.arenaWriter.write(tag, payload)) return;
    this.channel.close(notAsked(`an array of kind ${tag.kind} with ${payload.length} bytes at ${tag.offset}`));
  }

  closed(error: PseudolabelError): void {
    this.end(this.ending ?? { kind: 'lost', error, isUseful: this.isUseful });
  }

  private leave(): void {
    this.channel.send({ kind: 'leaving' }).catch(() => undefined);
    const reason = new PseudolabelError(
      'E_TIMEOUT',
      'the coordinator did not let the node go',
      'nothing is lost by it',
    );
    setTimeout(() => this.channel.close(reason), LEAVE_MS).unref();
  }

  private async serve(message: Request): Promise<void> {
    const { request } = message;
    try {
      if (message.kind !== 'welcome') checkAsked(message, this.made(message.kind).node.arena.shape);
      if (message.kind === 'gradients') {
        await this.made(message.kind).gradients.serve(message, (reply) => this.reply(request, reply));
      } else await this.reply(request, await this.answer(message));
      this.isUseful ||= message.kind !== 'welcome';
    } catch (error) {
      if (error instanceof PseudolabelError && error.code === 'E_PROTOCOL') return this.channel.close(error);
      // A node that cannot be made here would fail again.
      if (message.kind === 'welcome' && error instanceof PseudolabelError) this.ending = { kind: 'refused', error };
      const { code, message: said, fix } = described(error);
      await this.reply(request, { kind: 'failed', code, message: said, fix }).catch(() => undefined);
    }
  }

  private async answer(message: Exclude<Request, { kind: 'gradients' }>): Promise<Reply> {
    if (message.kind === 'welcome') {
      await this.makeNode({ ...message.shape, workspaces: this.options.workers }, message.wire);
      return { kind: 'ready' };
    }
    const { node, slices } = this.made(message.kind);
    switch (message.kind) {
      case 'update': {
        const results = await node.updateByTotal(message.model, message.optimizer);
        return { kind: 'updated', milliseconds: Math.max(...results.map(({ milliseconds }) => milliseconds)) };
      }
      case 'predict': {
        const results = await node.predict(message.model, message.set, message.ranges);
        return {
          kind: 'predicted',
          results: results.map(({ classes, confidences, milliseconds }) => {
            return { classes, confidences: bytesOf(confidences), milliseconds };
          }),
        };
      }
      case 'forward':
      case 'onward':
      case 'backward':
      case 'replay':
      case 'collect':
        return slices.answer(message);
      case 'checksum':
        return { kind: 'digest', sha256: sha256OfParameters(floats(node.arena, 'parameters', message.parameters)) };
    }
  }

  private async makeNode(shape: ArenaShape, wire: GradientCodecName): Promise<void> {
    if (this.hosted) throw notAsked('a second welcome');
    const none = new Uint8Array();
    const node = await this.create({ shape, images: none, evaluationImages: none });
    if (this.isOver) return node.close();
    const { channel } = this;
    const precision = gradientCodecOf(wire, node.arena);
    this.hosted = {
      node,
      arenaWriter: new ArenaWriter(node, precision),
      gradients: new GradientHost(node, channel, precision),
      slices: new TensorHost(node, channel),
    };
  }

  private made(asked: string): Hosted {
    if (!this.hosted) throw notAsked(`${asked} before a welcome`);
    return this.hosted;
  }

  private reply(request: number, reply: Reply): Promise<void> {
    const { lostWorkers } = this.hosted?.node.health() ?? { lostWorkers: 0 };
    return this.channel.send({ ...reply, request, lostWorkers } as ToCoordinator);
  }
}

function described(error: unknown): Pick<Extract<ToCoordinator, { kind: 'failed' }>, 'code' | 'message' | 'fix'> {
  if (error instanceof PseudolabelError) return { code: error.code, message: error.message, fix: error.fix };
  return { code: null, message: error instanceof Error ? error.message : String(error), fix: '' };
}
