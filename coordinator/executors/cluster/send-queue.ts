// Owns what is sent to one node: in order, one thing after another, each within its deadline or the connection ends.
import { PseudolabelError } from '../../../src/errors.js';
import { type Deadlines, late } from './deadlines.js';
import { MemberLost } from './member.js';

/** The conversation that it is sent in. */
export interface Conversation {
  readonly name: string;
  readonly deadlines: Deadlines;
  /** Why it is over; undefined while it is not. */
  readonly reason: PseudolabelError | undefined;
  close(reason: PseudolabelError): void;
}

export class SendQueue {
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly conversation: Conversation) {}

  /** Rejects with MemberLost. */
  add(send: () => Promise<void>): Promise<void> {
    const sent = this.last.then(() => this.sendNow(send));
    this.last = sent.catch(() => undefined);
    return sent;
  }

  /** Resolves when all has been sent, or the conversation is over. */
  empty(): Promise<void> {
    return this.last;
  }

  /** What it does not take in time cannot be taken back: its memory may change, so the connection ends. */
  private async sendNow(send: () => Promise<void>): Promise<void> {
    const { conversation } = this;
    const { name, deadlines } = conversation;
    if (conversation.reason) throw new MemberLost(name, conversation.reason);
    const began = deadlines.clock.now();
    const cancel = deadlines.stallTimer('send', 1, () => conversation.close(late(name, 'take what was sent')));
    try {
      await send();
      deadlines.record('send', 1, deadlines.clock.now() - began);
    } catch (error) {
      // Before the channel says so itself: whoever is told of the loss looks at once who is still there.
      if (error instanceof PseudolabelError) conversation.close(error);
      throw new MemberLost(name, conversation.reason ?? error);
    } finally {
      cancel();
    }
  }
}
