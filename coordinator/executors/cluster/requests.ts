// Talks with one node: keeps the queue of messages to send, matches answers to requests, and limits the time of each.
import { PseudolabelError } from '../../../src/errors.js';
import type { BulkTag, Channel, ChannelListener } from '../../../src/protocol/channel.js';
import {
  ANSWERS,
  type Answer,
  type First,
  type Request,
  type ToCoordinator,
  type ToNode,
} from '../../../src/protocol/cluster-messages.js';
import { lateError, unexpectedError } from '../failures.js';
import type { Deadlines } from './deadlines.js';
import { MachineLost } from './machine.js';

export type NodeChannel = Channel<ToNode, ToCoordinator>;

/** A request before it is given its number. */
export type Question<K extends Request['kind']> = Omit<Extract<Request, { kind: K }>, 'request'> & { readonly kind: K };

/** The kind of answer that a request has. */
type AnswerTo<K extends Request['kind']> = Extract<Answer, { kind: (typeof ANSWERS)[K] }>;

interface Open {
  readonly expected: Answer['kind'];
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export interface RequestsListener {
  first(message: First): void;
  leaving(): void;
  bulk(tag: BulkTag, payload: Uint8Array): void;
  answered(answer: Answer): void;
  /** An answer did not come in time. */
  late(reason: MachineLost): void;
  closed(reason: PseudolabelError): void;
}

export class Requests implements ChannelListener<ToCoordinator> {
  name: string;
  listener: RequestsListener | undefined;
  /** The reason why the conversation is over; undefined while it goes on. */
  private reason: PseudolabelError | undefined;
  private requests = 0;
  private readonly open = new Map<number, Open>();
  /** Requests that nothing waits for any longer, until they are answered. */
  private readonly revoked = new Set<number>();
  /** The queue of messages to send. It resolves when all have been sent, or the conversation is over. */
  private queue: Promise<void> = Promise.resolve();

  constructor(
    readonly channel: NodeChannel,
    readonly deadlines: Deadlines,
  ) {
    this.name = channel.peer;
  }

  get isClosed(): boolean {
    return this.reason !== undefined;
  }

  /** Whether the node has failed to answer in time, and has not caught up since. */
  get isBehind(): boolean {
    return this.revoked.size > 0;
  }

  /** The kind of answer that is due next. */
  get awaited(): Answer['kind'] | undefined {
    return this.open.values().next().value?.expected;
  }

  get isIdle(): boolean {
    return this.open.size === 0 && this.revoked.size === 0;
  }

  /**
   * Sends a request and waits for its answer, for as long as this number of units of this kind of work may take.
   * Rejects with MachineLost.
   * @param numbered is told the number of the request before it is sent, so that arrays of the answer can be matched
   */
  async ask<K extends Request['kind']>(
    question: Question<K>,
    work: string,
    units: number,
    numbered: (request: number) => void = () => undefined,
  ): Promise<AnswerTo<K>> {
    const request = ++this.requests;
    numbered(request);
    const answer = new Promise<Answer>((resolve, reject) => {
      this.open.set(request, { expected: ANSWERS[question.kind], resolve, reject });
    });
    answer.catch(() => undefined);
    await this.send({ ...question, request } as unknown as Request);
    const { deadlines } = this;
    const began = deadlines.clock.now();
    const cancel = deadlines.stallTimer(work, units, () => this.revoke(request, work));
    try {
      const found = await answer;
      deadlines.record(work, units, deadlines.clock.now() - began);
      return found as AnswerTo<K>;
    } finally {
      cancel();
    }
  }

  send(message: ToNode): Promise<void> {
    return this.enqueue(() => this.channel.send(message));
  }

  /** Sends bytes. The payload must not change before the promise is settled. */
  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void> {
    return this.enqueue(() => this.channel.sendBulk(tag, payload));
  }

  /** Resolves when everything has been sent, or the conversation is over. */
  sent(): Promise<void> {
    return this.queue;
  }

  close(reason: PseudolabelError): void {
    if (this.reason) return;
    this.reason = reason;
    const lost = new MachineLost(this.name, reason);
    for (const { reject } of this.open.values()) reject(lost);
    this.open.clear();
    this.revoked.clear();
    this.channel.close(reason);
    this.listener?.closed(reason);
  }

  /**
   * Ends the conversation because of what the node sent. The node is told the reason, and that a retry is useless,
   * because it would send the same again.
   */
  expel(reason: PseudolabelError): void {
    const { code, message, fix } = reason;
    if (!this.reason) this.channel.send({ kind: 'refused', code, message, fix }).catch(() => undefined);
    this.close(reason);
  }

  message(message: ToCoordinator): void {
    if (this.reason) return;
    if (message.kind === 'hello' || message.kind === 'ask') this.listener?.first(message);
    else if (message.kind === 'leaving') this.listener?.leaving();
    else this.answer(message);
  }

  bulk(tag: BulkTag, payload: Uint8Array): void {
    if (!this.reason) this.listener?.bulk(tag, payload);
  }

  closed(reason: PseudolabelError): void {
    this.close(reason);
  }

  /** Sends after all earlier messages. Rejects with MachineLost. */
  private enqueue(send: () => Promise<void>): Promise<void> {
    const sent = this.queue.then(() => this.sendNow(send));
    this.queue = sent.catch(() => undefined);
    return sent;
  }

  /**
   * Sends at once. Data that the node does not take in time cannot be taken back, and its memory may change, so the
   * connection ends.
   */
  private async sendNow(send: () => Promise<void>): Promise<void> {
    const { name, deadlines } = this;
    if (this.reason) throw new MachineLost(name, this.reason);
    const began = deadlines.clock.now();
    const cancel = deadlines.stallTimer('send', 1, () => this.close(lateError(name, 'take what was sent')));
    try {
      await send();
      deadlines.record('send', 1, deadlines.clock.now() - began);
    } catch (error) {
      // Closes before the channel itself reports the error, because whoever is told of the loss looks at once which
      // machines are left.
      if (error instanceof PseudolabelError) this.close(error);
      throw new MachineLost(name, this.reason ?? error);
    } finally {
      cancel();
    }
  }

  private answer(answer: Answer): void {
    const { request, kind } = answer;
    if (request > this.requests)
      return void this.expel(unexpectedError(`it answered request ${request}, which was not made`));
    const open = this.open.get(request);
    if (open && kind !== 'failed' && kind !== open.expected) {
      return void this.expel(unexpectedError(`it sent ${kind} where ${open.expected} was due`));
    }
    this.open.delete(request);
    this.revoked.delete(request);
    this.listener?.answered(answer);
    // An answer that comes late or a second time changes nothing.
    if (kind !== 'failed') open?.resolve(answer);
    else if (open) this.failed(open, answer);
  }

  /** Gives what failed on the node to others. If it fails on all of them, it fails here too, and that ends the run. */
  private failed({ reject }: Open, { code, message, fix }: Extract<Answer, { kind: 'failed' }>): void {
    const error = new PseudolabelError(code ?? 'E_WORKER_LOST', message, fix || 'look at what the node says of it');
    reject(new MachineLost(this.name, error));
    this.close(error);
  }

  private revoke(request: number, work: string): void {
    const open = this.open.get(request);
    if (!open) return;
    this.open.delete(request);
    this.revoked.add(request);
    const reason = new MachineLost(this.name, lateError(this.name, `answer (${work})`));
    open.reject(reason);
    this.listener?.late(reason);
  }
}
