// Owns a node on another machine as the coordinator sees it: its arena is a mirror of the one here, brought up to date before each
// request, and its answers are checked before they count.
import type { TrainingState } from '../src/checkpoint.js';
import { subtreesOf } from '../src/collectives/tree.js';
import { shardRange } from '../src/data/shards.js';
import type { Arena } from '../src/engine/arena.js';
import { layoutOf, type Model } from '../src/engine/model.js';
import { storePseudoLabels } from '../src/engine/predict.js';
import { PseudolabelError } from '../src/errors.js';
import { type BulkTag, MAX_BULK } from '../src/protocol/channel.js';
import { BULK_KINDS, type NodeStatus, type SentRegion, type ToCoordinator, toWire } from '../src/protocol/messages.js';
import type { ShardStep } from '../src/protocol/node.js';
import type { OptimizerStep, PredictResult, PredictTask } from '../src/protocol/tasks.js';
import { alarm } from './alarm.js';
import { type Contribution, type Member, MemberLost } from './member.js';
import { Mirror } from './mirror.js';
import { type Requests, type RequestsListener, unexpected } from './requests.js';
import { Speed } from './speed.js';
import { Upload } from './upload.js';

const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

export interface RemoteListener {
  /** It has been lost, or has gone as it wished. */
  left(node: RemoteNode, reason: PseudolabelError): void;
  /** It may have become available. */
  answered(): void;
}

export class RemoteNode implements Member, RequestsListener {
  readonly mirror = new Mirror();
  lostWorkers = 0;
  /** Shards of its last step. */
  shards = 0;
  private readonly uploads = new Map<number, Upload>();
  private readonly measured = new Speed();
  private isLeaving = false;
  private waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];

  constructor(
    private readonly requests: Requests,
    /** The coordinator's. */
    private readonly arena: Arena,
    readonly workers: number,
    private readonly listener: RemoteListener,
  ) {
    requests.listener = this;
  }

  get name(): string {
    return this.requests.name;
  }

  get speed(): number | undefined {
    return this.measured.rowsPerMillisecond;
  }

  /** Whether it takes requests. */
  get isAvailable(): boolean {
    return this.state === 'working' && !this.requests.isClosed;
  }

  get state(): NodeStatus['state'] {
    if (this.isLeaving) return 'leaving';
    return this.requests.isBehind || this.isSendingLate ? 'behind' : 'working';
  }

  get status(): NodeStatus {
    const { name, workers, state, shards, lostWorkers, speed } = this;
    const { peer, traffic } = this.requests.channel;
    const rowsPerSecond = speed === undefined ? null : speed * 1000;
    const bytes = { bytesSent: traffic.sent, bytesReceived: traffic.received };
    return { name, address: peer, workers, state, rowsPerSecond, shards, lostWorkers, ...bytes };
  }

  /** Whether it has the parameters and moments that are here, so that an update of them keeps them alike. */
  isInStep(parameters: number): boolean {
    return this.isAvailable && VECTORS.every((region) => this.mirror.missing(region, 0, parameters * 4).length === 0);
  }

  async gradients(steps: readonly ShardStep[]): Promise<Contribution> {
    const { model, shards, stage, unlabelled } = steps[0]!;
    const bytes = this.bytesOf(model);
    for (const region of VECTORS) await this.bring(region, 0, bytes);
    for (const step of steps) await this.bringShard(step);

    const request = this.requests.next();
    const upload = new Upload(this.arena, subtreesOf(new Set(steps.map(({ shard }) => shard)), shards), bytes);
    this.uploads.set(request, upload);
    this.shards = steps.length;
    const began = performance.now();
    const work = `gradients of stage ${stage}, ${unlabelled?.pseudoLabels ?? 'labelled'}`;
    const message = { kind: 'gradients', request, round: steps[0]!.step, steps: steps.map(toWire) } as const;
    try {
      const { results } = await this.requests.ask(message, work, rowsOf(steps));
      if (results.length !== steps.length)
        throw this.lose(`it sent ${results.length} results for ${steps.length} shards`);
      this.measured.add(results, performance.now() - began);
      this.expectUpload(upload);
      return { results, subtrees: upload.subtrees, arrived: (count) => upload.arrived(count) };
    } catch (error) {
      upload.revoke(error);
      throw error;
    }
  }

  async predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    const { pixels } = this.arena.shape;
    await this.bring('parameters', 0, this.bytesOf(model));
    const images = set === 'unlabelled' ? 'images' : 'evaluationImages';
    for (const [start, end] of ranges) await this.bring(images, start * pixels, end * pixels);
    if (set === 'unlabelled') this.labelsChanged(ranges);

    const message = { kind: 'predict', request: this.requests.next(), model, set } as const;
    const rows = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
    const work = `labels by a model of ${layoutOf(model).length} parameters`;
    const asked = { ...message, ranges: ranges.map(([start, end]): [number, number] => [start, end]) };
    const { results } = await this.requests.ask(asked, work, rows);
    const fits = ({ classes, confidences }: (typeof results)[number], i: number): boolean => {
      const length = ranges[i]![1] - ranges[i]![0];
      return classes.length === length && confidences.length === length * 4;
    };
    if (results.length !== ranges.length || !results.every(fits)) throw this.lose('its labels do not fit the images');
    return results.map(({ classes, confidences, milliseconds }, i) => {
      const predicted = { classes, confidences: new Float32Array(Uint8Array.from(confidences).buffer) };
      const [start, end] = ranges[i]!;
      const flips = set === 'unlabelled' ? storePseudoLabels(this.arena, start, predicted) : 0;
      if (set === 'unlabelled') {
        this.mirror.isAlike('pseudoLabels', start, end);
        this.mirror.isAlike('confidences', start * 4, end * 4);
      }
      return { ...predicted, flips, milliseconds };
    });
  }

  /** Sends floats [start, end) of the total. They must not change before sent() resolves. */
  sendTotal(step: number, start: number, end: number): void {
    const tag = { kind: BULK_KINDS.indexOf('total'), step, index: 0, attempt: 0, offset: start * 4 };
    const payload = this.bytesAt('total', start * 4, end * 4);
    // Whether it got there shows when it is needed next.
    this.requests.sendBulk(tag, payload).catch(() => undefined);
  }

  /** Resolves when all that was to be sent has been sent, or the node is lost. */
  sent(): Promise<void> {
    return this.requests.sent();
  }

  /** Has it update its parameters by the total that it was sent. Nobody waits for it: the next request is done after it. */
  update(model: Model, optimizer: OptimizerStep): void {
    const message = { kind: 'update', request: this.requests.next(), model, optimizer } as const;
    this.requests.ask(message, 'update', 1).catch((error: unknown) => {
      if (!(error instanceof MemberLost)) this.lose(`its update failed: ${error}`);
    });
  }

  /** Hex SHA-256 of its parameters. */
  async checksum(parameters: number): Promise<string> {
    const message = { kind: 'checksum', request: this.requests.next(), parameters } as const;
    return (await this.requests.ask(message, 'checksum', 1)).sha256;
  }

  /** Sends the images of a range ahead of the first request that needs them. */
  async bringImages(start: number, end: number): Promise<void> {
    const { pixels } = this.arena.shape;
    await this.bring('images', start * pixels, end * pixels);
  }

  /** The labels of these images have changed here, not there. */
  labelsChanged(ranges: readonly (readonly [number, number])[]): void {
    for (const [start, end] of ranges) {
      this.mirror.hasChanged('pseudoLabels', start, end);
      this.mirror.hasChanged('confidences', start * 4, end * 4);
    }
  }

  /** An update that it did not make has changed so many parameters here. */
  stateChanged(parameters: number): void {
    for (const region of VECTORS) this.mirror.hasChanged(region, 0, parameters * 4);
  }

  /** So much of the state has been overwritten here. */
  written(state: Partial<TrainingState>): void {
    for (const region of [...VECTORS, 'pseudoLabels', 'confidences'] as const) {
      this.mirror.hasChanged(region, 0, state[region]?.byteLength ?? 0);
    }
  }

  /** Says that the run is over, and closes. */
  async dismiss(why: 'finished' | 'left', reason: PseudolabelError): Promise<void> {
    await this.requests.send({ kind: 'bye', reason: why }).catch(() => undefined);
    this.requests.close(reason);
  }

  close(reason: PseudolabelError): void {
    this.requests.close(reason);
  }

  hello({ kind }: Extract<ToCoordinator, { kind: 'hello' | 'ask' }>): void {
    this.lose(`it sent ${kind} a second time`);
  }

  leaving(): void {
    this.isLeaving = true;
    this.settled();
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    const upload = this.uploads.get(tag.attempt);
    // Of a request that is long done: late, so dropped.
    if (!upload) return;
    try {
      if (BULK_KINDS[tag.kind] !== 'sum') throw unexpected(`it sent an array of kind ${tag.kind}`);
      upload.frame(tag.index, tag.offset, payload);
    } catch (error) {
      this.requests.close(error as PseudolabelError);
    }
    if (upload.isComplete) this.settled();
  }

  answered({ lostWorkers, request, kind }: Parameters<RequestsListener['answered']>[0]): void {
    this.lostWorkers = lostWorkers;
    if (kind === 'failed') {
      this.uploads.get(request)?.revoke(new MemberLost(this.name, 'its sums failed'));
      this.uploads.delete(request);
    }
    this.settled();
  }

  closed(reason: PseudolabelError): void {
    const lost = new MemberLost(this.name, reason);
    for (const upload of this.uploads.values()) upload.revoke(lost);
    for (const { reject } of this.waiting.splice(0)) reject(lost);
    this.listener.left(this, reason);
  }

  /** Something ended: what waits for that goes on. */
  private settled(): void {
    for (const [request, upload] of this.uploads) if (upload.isComplete) this.uploads.delete(request);
    this.listener.answered();
    if (!this.requests.isIdle || this.uploads.size > 0) return;
    for (const { resolve } of this.waiting.splice(0)) resolve();
    if (this.isLeaving) void this.dismiss('left', wished());
  }

  private get isSendingLate(): boolean {
    return [...this.uploads.values()].some(({ isRevoked }) => isRevoked);
  }

  private expectUpload(upload: Upload): void {
    const began = performance.now();
    const bytes = upload.length * upload.subtrees.length;
    const { deadlines } = this.requests;
    const cancel = alarm(deadlines.limit('sums', bytes), () =>
      upload.revoke(new MemberLost(this.name, 'its sums are late')),
    );
    const complete = () => deadlines.record('sums', bytes, performance.now() - began);
    void upload
      .arrived(upload.length)
      .then(complete, () => undefined)
      .finally(cancel);
  }

  /** Rejects when it is lost, or behind, while something is still to be done. */
  private idle(): Promise<void> {
    if (this.requests.isIdle && this.uploads.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private async bringShard({ unlabelled, model, shard, shards }: ShardStep): Promise<void> {
    if (!unlabelled) return;
    const [start, end] = shardRange(this.arena.shape.unlabelled, shards, shard);
    await this.bringImages(start, end);
    if (unlabelled.pseudoLabels === 'fresh' || model.objective === 'reconstruction') return;
    await this.bring('pseudoLabels', start, end);
    await this.bring('confidences', start * 4, end * 4);
  }

  /** Makes the bytes [start, end) of a region the same there as they are here. */
  private async bring(region: SentRegion, start: number, end: number): Promise<void> {
    for (const [from, to] of this.mirror.missing(region, start, end)) {
      // What it is still doing may read or write them; but images do not change.
      if (region !== 'images' && region !== 'evaluationImages') await this.idle();
      for (let offset = from; offset < to; offset += MAX_BULK) {
        const tag = { kind: BULK_KINDS.indexOf(region), step: 0, index: 0, attempt: 0, offset };
        await this.requests.sendBulk(tag, this.bytesAt(region, offset, Math.min(offset + MAX_BULK, to)));
      }
      this.mirror.isAlike(region, from, to);
    }
  }

  private bytesAt(region: SentRegion, start: number, end: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, this.arena.regions[region] + start, end - start);
  }

  /** Of a vector. */
  private bytesOf(model: Model): number {
    const { length } = layoutOf(model);
    if (length > this.arena.shape.parameters) throw new RangeError(`length ${length} of the model is beyond the arena`);
    return length * 4;
  }

  private lose(message: string): MemberLost {
    const reason = unexpected(`${this.name}: ${message}`);
    this.requests.close(reason);
    return new MemberLost(this.name, reason);
  }
}

function rowsOf(steps: readonly ShardStep[]): number {
  return steps.reduce((sum, { labelled, unlabelled, shards }) => {
    return sum + (labelled?.labels.length ?? 0) + (unlabelled?.batch ?? 0) / shards;
  }, 0);
}

function wished(): PseudolabelError {
  return new PseudolabelError('E_CLOSED', 'it left as it wished', 'start it again when it should come back');
}
