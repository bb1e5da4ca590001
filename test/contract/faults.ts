// Defines the places in a conversation between a coordinator and a node at which tests make something go wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import { BULK_KINDS, type ToCoordinator, type ToNode } from '../../src/protocol/cluster-messages.js';
import type { Link, Parcel, Tap } from './memory-channel.js';

export type AnyParcel = Parcel<{ readonly kind: string }>;

/** A place in the conversation: the nth parcel of a kind. */
export interface Place {
  readonly name: string;
  readonly to: 'node' | 'coordinator';
  readonly kind: string;
  readonly nth: number;
}

export const PLACES: readonly Place[] = [
  { name: 'while it is sent images', to: 'node', kind: 'evaluation', nth: 1 },
  { name: 'while it is sent parameters', to: 'node', kind: 'parameters', nth: 2 },
  { name: 'before it labels', to: 'node', kind: 'predict', nth: 1 },
  { name: 'when it has labelled', to: 'coordinator', kind: 'predicted', nth: 2 },
  { name: 'before its first gradients', to: 'node', kind: 'gradients', nth: 1 },
  { name: 'when it has computed gradients', to: 'coordinator', kind: 'computed', nth: 3 },
  { name: 'before its first sums', to: 'coordinator', kind: 'sum', nth: 1 },
  { name: 'in the middle of its sums', to: 'coordinator', kind: 'sum', nth: 4 },
  { name: 'before the total', to: 'node', kind: 'total', nth: 1 },
  { name: 'in the middle of the total', to: 'node', kind: 'total', nth: 4 },
  { name: 'before it updates', to: 'node', kind: 'update', nth: 2 },
  { name: 'when it has updated', to: 'coordinator', kind: 'updated', nth: 1 },
  { name: 'before its parameters are compared', to: 'node', kind: 'checksum', nth: 1 },
  { name: 'when its parameters have been compared', to: 'coordinator', kind: 'digest', nth: 1 },
];

/** Places in work for a graph of images. */
export const GRAPH_PLACES: readonly Place[] = [
  { name: 'before it describes images', to: 'node', kind: 'describe', nth: 1 },
  { name: 'when it has described images', to: 'coordinator', kind: 'described', nth: 2 },
  { name: 'before it is sent rows', to: 'node', kind: 'rows', nth: 1 },
  { name: 'before it finds neighbours', to: 'node', kind: 'neighbours', nth: 1 },
  { name: 'when it has found neighbours', to: 'coordinator', kind: 'found', nth: 1 },
];

export const kindOf = (parcel: AnyParcel): string =>
  'message' in parcel ? parcel.message.kind : BULK_KINDS[parcel.tag.kind]!;

/** Does something with the parcel at a place, and returns what arrives instead. Resolves when it has happened. */
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

export const onWay = (to: Place['to'], kind: string, nth: number, name = kind): Place => ({ name, to, kind, nth });

export const place = (kind: string, nth = 1): Place => {
  const to = ['sum', 'computed', 'predicted', 'described', 'found', 'updated', 'digest'].includes(kind)
    ? 'coordinator'
    : 'node';
  return { name: kind, to, kind, nth };
};

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}
