// Owns a node's end of the channel: it does what the coordinator asks on a local node, one request after another, and fills its arena with
// what it is sent. It decides nothing.
import { sha256OfParameters } from '../src/checksum.js';
import { subtreesOf } from '../src/collectives/tree.js';
import { type ArenaShape, floats } from '../src/engine/arena.js';
import type { Fingerprints } from '../src/engine/fingerprint.js';
import { layoutOf } from '../src/engine/model.js';
import { Progress } from '../src/engine/progress.js';
import { CHUNK, Sums } from '../src/engine/sum.js';
import { rankOf, sumWire, type Wire, type WireName, wireOf } from '../src/engine/wire.js';
import { PseudolabelError } from '../src/errors.js';
import type { BulkTag, Channel, ChannelListener } from '../src/protocol/channel.js';
import { bytesOf } from '../src/protocol/floats.js';
import { BULK_KINDS, fromWire, type Reply, type ToCoordinator, type ToNode } from '../src/protocol/messages.js';
import type { GradientResult } from '../src/protocol/tasks.js';
import { FactorHost } from './factor-host.js';
import { createLocalNode, type LocalNode } from './node.js';
import { SliceHost } from './slice-host.js';

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

const withoutSpan = ({ span: _, ...result }: GradientResult) => result;

/** How long a coordinator may take to let a node go. */
const LEAVE_MS = 60_000;

type Request = Extract<ToNode, { request: number }>;
type GradientsRequest = Extract<ToNode, { kind: 'gradients' }>;

/** What a node of this shape can be asked to hold: bytes of each region that the coordinator fills, as they travel. */
function capacities(shape: ArenaShape, wire: Wire): Record<string, number> {
  const { pixels, unlabelled, evaluation, parameters, factors = 0 } = shape;
  const vector = parameters * 4;
  return {
    images: unlabelled * pixels,
    evaluationImages: evaluation * pixels,
    pseudoLabels: unlabelled,
    confidences: unlabelled * 4,
    parameters: vector,
    firstMoment: vector,
    secondMoment: vector,
    total: wire.bytes(parameters),
    left: factors * 4,
    right: factors * 4,
  };
}

/**
 * Joins the run of the coordinator at the other end, and works for it until one of them ends it.
 * @param create makes the node; for tests
 */
export function hostNode(channel: CoordinatorChannel, options: HostOptions, create = createLocalNode): Promise<Ending> {
  return new Host(channel, options, create).run();
}

class Host implements ChannelListener<ToNode> {
  private node: LocalNode | undefined;
  private sums: Sums | undefined;
  private progress: Progress | undefined;
  private slices: SliceHost | undefined;
  private factors: FactorHost | undefined;
  private wire: Wire | undefined;
  private capacity: Record<string, number> = {};
  /** Requests are done in order, and long arrays wait for none. */
  private work: Promise<void> = Promise.resolve();
  private ending: Ending | undefined;
  private isUseful = false;
  private isOver = false;
  private end: (ending: Ending) => void = () => undefined;

  constructor(
    private readonly channel: CoordinatorChannel,
    private readonly options: HostOptions,
    private readonly create: typeof createLocalNode,
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
      await this.node?.close();
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
  bulk({ kind, offset }: BulkTag, payload: Uint8Array): void {
    const region = BULK_KINDS[kind];
    if (!this.node || region === undefined || region === 'sum' || offset + payload.length > this.capacity[region]!) {
      this.channel.close(notAsked(`an array of kind ${kind} with ${payload.length} bytes at ${offset}`));
      return;
    }
    const { memory, regions } = this.node.arena;
    if (region === 'total') this.wire!.decode(payload, regions.total, offset);
    else {
      new Uint8Array(memory.buffer, regions[region] + offset, payload.length).set(payload);
      if (region === 'parameters') this.node.parametersCame(offset, offset + payload.length);
    }
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
      if (message.kind === 'gradients') await this.gradients(message);
      else await this.reply(request, await this.answer(message));
      this.isUseful ||= message.kind !== 'welcome';
    } catch (error) {
      // A node that cannot be made here would fail again.
      if (message.kind === 'welcome' && error instanceof PseudolabelError) this.ending = { kind: 'refused', error };
      const { code, message: said, fix } = described(error);
      await this.reply(request, { kind: 'failed', code, message: said, fix }).catch(() => undefined);
    }
  }

  /** The sums are on their way while they are still being computed. */
  private async gradients({ request, ...message }: GradientsRequest): Promise<void> {
    const { node } = this;
    if (!node) throw notAsked(`${message.kind} before a welcome`);
    const steps = message.steps.map(fromWire);
    this.progress!.begin(steps.map(({ shard }) => shard));
    const began = performance.now();
    const work = node.gradients(steps);
    // Factors are asked for when the gradients are there.
    const sent = this.factors!.rank === undefined ? this.sendSums({ request, ...message }, work) : Promise.resolve();
    sent.catch(() => undefined); // with the work, which is waited for first, or with the channel
    const results = await work.catch(async (error: unknown) => {
      await sent.catch(() => undefined); // the next sums are not to be mixed up with these
      throw error;
    });
    const milliseconds = performance.now() - began;
    await this.reply(request, { kind: 'computed', results: results.map(withoutSpan), milliseconds });
    await sent;
  }

  private async answer(message: Exclude<Request, GradientsRequest>): Promise<Reply> {
    if (message.kind === 'welcome') {
      await this.makeNode({ ...message.shape, lanes: this.options.workers }, message.wire);
      return { kind: 'ready' };
    }
    const { node } = this;
    if (!node) throw notAsked(`${message.kind} before a welcome`);
    switch (message.kind) {
      case 'update': {
        if (message.counted) await node.factors.counted();
        const results = await node.updateByTotal(message.model, message.optimizer, this.factors!.rank);
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
      case 'factor':
        return this.factors!.answer(message);
      case 'forward':
      case 'onward':
      case 'backward':
      case 'replay':
      case 'collect':
        return this.slices!.answer(message);
      case 'checksum':
        return { kind: 'digest', sha256: sha256OfParameters(floats(node.arena, 'parameters', message.parameters)) };
    }
  }

  private async makeNode(shape: ArenaShape, wire: WireName): Promise<void> {
    if (this.node) throw notAsked('a second welcome');
    const none = new Uint8Array();
    const node = await this.create({ shape, images: none, evaluationImages: none });
    if (this.isOver) return node.close();
    this.node = node;
    this.sums = new Sums(node.arena);
    this.progress = new Progress(node.arena);
    this.slices = new SliceHost(node, this.channel);
    this.factors = new FactorHost(node, this.channel, rankOf(wire));
    this.wire = wireOf(wire, node.arena);
    this.capacity = capacities(shape, this.wire);
  }

  /**
   * Chunk by chunk, those of all subtrees, each as soon as it is computed, so that the coordinator can sum the first while the next are on
   * their way. Slots are only read: a thread that dies may leave its own to be written again, by the same bits.
   */
  private async sendSums({ request, round, goesOn, steps }: GradientsRequest, work: Promise<unknown>): Promise<void> {
    const wire = this.wire!;
    const { model, shards } = steps[0]!;
    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const { length } = layoutOf(model);
    if (!goesOn) wire.reset();
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(start + CHUNK, length);
      for (const subtree of subtrees) {
        for (let shard = subtree.first; shard < subtree.first + subtree.count; shard++)
          await this.progress!.until(shard, end, work);
        const by = sumWire(wire, this.node!.arena, subtree);
        const { payload } = by.encode(this.sums!.outgoing(subtree, start, end), start, end);
        const tag = { kind: BULK_KINDS.indexOf('sum'), step: round, index: subtree.first, attempt: request };
        await this.channel.sendBulk({ ...tag, offset: by.bytes(start) }, payload);
      }
    }
  }

  private reply(request: number, reply: Reply): Promise<void> {
    const { lostWorkers } = this.node?.health() ?? { lostWorkers: 0 };
    return this.channel.send({ ...reply, request, lostWorkers } as ToCoordinator);
  }
}

function described(error: unknown): Pick<Extract<ToCoordinator, { kind: 'failed' }>, 'code' | 'message' | 'fix'> {
  if (error instanceof PseudolabelError) return { code: error.code, message: error.message, fix: error.fix };
  return { code: null, message: error instanceof Error ? error.message : String(error), fix: '' };
}

function notAsked(what: string): PseudolabelError {
  return new PseudolabelError('E_PROTOCOL', `the coordinator sent ${what}`, 'run the same version on all machines');
}
