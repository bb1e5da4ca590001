// Owns places in the conversation with a node at which tests make something happen.
import { setTimeout as sleep } from 'node:timers/promises';
import { BULK_KINDS, type ToCoordinator, type ToNode } from '../../src/protocol/messages.js';
import type { Link, Parcel, Tap } from './memory-channel.js';

export type AnyParcel = Parcel<{ readonly kind: string }>;

/** A place in the conversation: the so-manyeth parcel of a kind. */
export interface Place {
  readonly name: string;
  readonly to: 'node' | 'coordinator';
  readonly kind: string;
  readonly nth: number;
}

export const kindOf = (parcel: AnyParcel): string =>
  'message' in parcel ? parcel.message.kind : BULK_KINDS[parcel.tag.kind]!;

/** Does something with the parcel at a place, and gives what arrives instead. Resolves when it has happened. */
export function at<P extends AnyParcel>(
  link: Link,
  { to, kind, nth }: Place,
  act: (parcel: P) => readonly AnyParcel[],
): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const tap = (parcel: AnyParcel): readonly AnyParcel[] => {
      if (kindOf(parcel) !== kind || ++seen !== nth) return [parcel];
      resolve();
      return act(parcel as P);
    };
    if (to === 'node') link.toNode = tap as unknown as Tap<ToNode>;
    else link.toCoordinator = tap as unknown as Tap<ToCoordinator>;
  });
}

export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it has not become so in five seconds');
    await sleep(10);
  }
}
