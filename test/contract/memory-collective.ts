// Makes a collective for tests, whose ranks are objects in one process. Data is copied when both sides are there. MPI
// may do it at any time between.
import type { Collective, Piece } from '../../src/collectives/collective.js';

interface Sent {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
}

/** Messages between two ranks, in order: those that are not received yet, or requests for which nothing has come. */
class Line {
  private readonly sent: Sent[] = [];
  private readonly wanted: Sent[] = [];

  send(bytes: Uint8Array): Promise<void> {
    return this.meet(this.wanted, this.sent, bytes, (to) => to.set(bytes));
  }

  receive(bytes: Uint8Array): Promise<void> {
    return this.meet(this.sent, this.wanted, bytes, (from) => bytes.set(from));
  }

  private meet(there: Sent[], here: Sent[], bytes: Uint8Array, copy: (other: Uint8Array) => void): Promise<void> {
    const other = there.shift();
    if (!other) return new Promise((taken) => here.push({ bytes, taken }));
    if (other.bytes.length !== bytes.length) throw new Error(`${bytes.length} bytes meet ${other.bytes.length}`);
    copy(other.bytes);
    other.taken();
    return Promise.resolve();
  }
}

/** Returns the collectives of this number of ranks. */
export function memoryRanks(size: number): Collective[] {
  const lines = Array.from({ length: size }, () => Array.from({ length: size }, () => new Line()));
  const line = (from: number, to: number): Line => lines[from]![to]!;
  return Array.from({ length: size }, (_, rank): Collective => {
    const others = Array.from({ length: size }, (_, r) => r).filter((r) => r !== rank);
    const exchange = async (sends: Iterable<Piece>, receives: readonly Piece[]) => {
      const going = receives.map((piece) => line(piece.rank, rank).receive(piece.bytes));
      for (const piece of sends) going.push(line(rank, piece.rank).send(piece.bytes));
      await Promise.all(going);
    };
    return {
      rank,
      size,
      exchange,
      broadcast: (bytes) =>
        rank === 0
          ? exchange(
              others.map((r) => ({ rank: r, bytes })),
              [],
            )
          : exchange([], [{ rank: 0, bytes }]),
      sum: async (values) => {
        const mine = bytesOf(values.slice());
        const found = others.map(() => new Float32Array(values.length));
        await exchange(
          others.map((r) => ({ rank: r, bytes: mine })),
          others.map((r, i) => ({ rank: r, bytes: bytesOf(found[i]!) })),
        );
        // The order is from the last rank to the first. It differs from the order of the tree, and is the same at all
        // ranks.
        const parts = [...found];
        parts.splice(rank, 0, values.slice());
        values.forEach((_, i) => {
          values[i] = parts.reduceRight((sum, part) => Math.fround(sum + part[i]!), 0);
        });
      },
      close: () => undefined,
    };
  });
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
