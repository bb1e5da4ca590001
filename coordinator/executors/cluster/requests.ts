// Owns the conversation with one node: requests, their answers, and how long these may take.
import { PseudolabelError } from '../../../src/errors.js';
import type { BulkTag, Channel, ChannelListener } from '../../../src/protocol/channel.js';
import {
  ANSWERS,
  type Answer,
  type AnswerTo,
  type First,
  type Request,
  type ToCoordinator,
  type ToNode,
} from '../../../src/protocol/cluster-messages.js';
import { type Deadlines, late } from './deadlines.js';
import { MemberLost } from './member.js';
import { type Conversation, SendQueue } from './send-queue.js';

export type NodeChannel = Channel<ToNode, ToCoordinator>;

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
  late(reason: MemberLost): void;
  closed(reason: PseudolabelError): void;
}

export class Requests implements ChannelListener<ToCoordinator>, Conversation {
  name: string;
  listener: RequestsListener | undefined;
  private number = 0;
  private readonly open = new Map<number, Open>();
  /** Requests that nobody waits for any longer, until they are answered. */
  private readonly revoked = new Set<number>();
  private readonly sendQueue = new SendQueue(this);
  /** Why it is closed. */
  reason: PseudolabelError | undefined;

  constructor(
    readonly channel: NodeChannel,
    readonly deadlines: Deadlines,
  ) {
    this.name = channel.peer;
  }

  /** The number of the next request. */
  next(): number {
    return this.number + 1;
  }

  get isClosed(): boolean {
    return this.reason !== undefined;
  }

  /** It has not answered in time, and not since. */
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
   * Sends a request with the number next() and waits for its answer, as long as so many units of this kind of work may take.
   * Rejects with MemberLost.
   */
  async ask<R extends Request>(message: R, work: string, units: number): Promise<AnswerTo<R>> {
    this.number = message.request;
    const { request } = message;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.open.set(request, { expected: ANSWERS[message.kind], resolve, reject });
    });
    answer.catch(() => undefined);
    await this.send(message);
    const { deadlines } = this;
    const began = deadlines.clock.now();
    const cancel = deadlines.stallTimer(work, units, () => this.revoke(request, work));
    try {
      const found = await answer;
      deadlines.record(work, units, deadlines.clock.now() - began);
      return found as AnswerTo<R>;
    } finally {
      cancel();
    }
  }

  send(message: ToNode): Promise<void> {
    return this.sendQueue.add(() => this.channel.send(message));
  }

  /** The payload must not change before the promise is settled. */
  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void> {
    return this.sendQueue.add(() => this.channel.sendBulk(tag, payload));
  }

  /** Resolves when all has been sent, or the channel is closed. */
  sent(): Promise<void> {
    return this.sendQueue.empty();
  }

  close(reason: PseudolabelError): void {
    if (this.reason) return;
    this.reason = reason;
    const lost = new MemberLost(this.name, reason);
    for (const { reject } of this.open.values()) reject(lost);
    this.open.clear();
    this.revoked.clear();
    this.channel.close(reason);
    this.listener?.closed(reason);
  }

  /** Ends it for what the node sent. It is told so, and that trying again is of no use: it would send the same. */
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

  private answer(answer: Answer): void {
    const { request, kind } = answer;
    if (request > this.number) return void this.expel(unexpected(`it answered request ${request}, which was not made`));
    const open = this.open.get(request);
    if (open && kind !== 'failed' && kind !== open.expected) {
      return void this.expel(unexpected(`it sent ${kind} where ${open.expected} was due`));
    }
    this.open.delete(request);
    this.revoked.delete(request);
    this.listener?.answered(answer);
    // An answer that comes a second time, or late, changes nothing.
    if (kind !== 'failed') open?.resolve(answer);
    else if (open) this.failed(open, answer);
  }

  /** Whatever failed there is done by others. If it fails for all of them, it fails here, and then that ends the run. */
  private failed({ reject }: Open, { code, message, fix }: Extract<Answer, { kind: 'failed' }>): void {
    const error = new PseudolabelError(code ?? 'E_WORKER_LOST', message, fix || 'look at what the node says of it');
    reject(new MemberLost(this.name, error));
    this.close(error);
  }

  private revoke(request: number, work: string): void {
    const open = this.open.get(request);
    if (!open) return;
    this.open.delete(request);
    this.revoked.add(request);
    const reason = new MemberLost(this.name, late(this.name, `answer (${work})`));
    open.reject(reason);
    this.listener?.late(reason);
  }
}

export function unexpected(message: string): PseudolabelError {
  return new PseudolabelError('E_PROTOCOL', message, 'run the same version on all nodes');
}
