// Passes the events of a run to those who iterate over them. Nobody has to iterate, and a slow reader does not make the
// run wait.

/** The most events that are kept for a reader. If there are more, the oldest are dropped. */
const MOST_WAITING = 1000;

/**
 * Tells a reader how many events it missed because it was too slow. Comes before the next event that the reader gets.
 */
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

  /** Ends the stream. Readers first read the events that wait for them, then the end or, once, the error. */
  end(end: End): void {
    this.ended = end;
    for (const reader of this.readers) reader.end(end);
    this.readers.clear();
  }

  /** Yields the events from now on. They are kept for a reader until it returns or the stream ends. */
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

/**
 * Work in the background. Nobody has to iterate over its events. They are kept for those who do, from the time when
 * they begin, up to 1,000 of them. A slower reader is told how many it missed ({ kind: 'missed', events }). Iterating
 * throws the error that `result` rejects with.
 */
export interface Observed<E, T> extends AsyncIterable<E> {
  /** Rejects with a PseudolabelError. */
  readonly result: Promise<T>;
}

/** Begins the work, and passes its events to those who iterate. */
export function observed<E, T>(work: (tell: (event: E) => void) => Promise<T>): Observed<E | Missed, T> {
  const events = new EventStream<E>();
  const result = work((event) => events.push(event)).then(
    (value) => {
      events.end('done');
      return value;
    },
    (error: unknown) => {
      events.end({ error });
      throw error;
    },
  );
  const iterator = () => {
    result.catch(() => undefined); // The reader is told of the error.
    return events.reader();
  };
  return { result, [Symbol.asyncIterator]: iterator };
}
