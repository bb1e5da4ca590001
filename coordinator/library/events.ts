// The events of a run for those who iterate over them: nobody has to, and nobody who is slow makes the run wait.

/** Events that a reader has not read yet. More are dropped, the oldest first. */
const MOST_WAITING = 1000;

/** Comes to a reader before the first event that it can still read, where it was too slow for those before. */
export interface Missed {
  readonly kind: 'missed';
  readonly events: number;
}

type End = { readonly error: unknown } | 'done';

export class EventStream<E> {
  private readonly readers = new Set<Reader<E>>();
  private ended: End | undefined;

  push(event: E): void {
    for (const reader of this.readers) reader.push(event);
  }

  /** Readers read what waits for them first, then the end: an error, once, where there is one. */
  end(end: End): void {
    this.ended = end;
    for (const reader of this.readers) reader.end(end);
    this.readers.clear();
  }

  /** Yields the events from now on. Kept for a reader until it returns or the stream ends. */
  reader(): AsyncIterableIterator<E | Missed> {
    const reader = new Reader<E>(() => this.readers.delete(reader));
    if (this.ended === undefined) this.readers.add(reader);
    else reader.end(this.ended);
    return reader;
  }
}

interface Waiter<E> {
  resolve(result: IteratorResult<E | Missed, undefined>): void;
  reject(error: unknown): void;
}

class Reader<E> implements AsyncIterableIterator<E | Missed> {
  private events: E[] = [];
  private missed = 0;
  private readonly waiters: Waiter<E>[] = [];
  private ended: End | undefined;

  constructor(private readonly leave: () => void) {}

  push(event: E): void {
    const waiter = this.waiters.shift();
    if (waiter) waiter.resolve({ value: event, done: false });
    else this.events.push(event);
    if (this.events.length <= MOST_WAITING) return;
    this.events.shift();
    this.missed++;
  }

  end(end: End): void {
    this.ended = end;
    for (const waiter of this.waiters.splice(0)) this.tellEnd(waiter);
  }

  next(): Promise<IteratorResult<E | Missed, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.missed > 0) {
        resolve({ value: { kind: 'missed', events: this.missed }, done: false });
        this.missed = 0;
      } else if (this.events.length > 0) resolve({ value: this.events.shift()!, done: false });
      else if (this.ended) this.tellEnd({ resolve, reject });
      else this.waiters.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<E | Missed, undefined>> {
    this.leave();
    this.events = [];
    this.missed = 0;
    this.end('done');
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private tellEnd({ resolve, reject }: Waiter<E>): void {
    const end = this.ended;
    this.ended = 'done';
    if (end === undefined || end === 'done') resolve({ value: undefined, done: true });
    else reject(end.error);
  }
}
