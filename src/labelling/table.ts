// Turns labels into columns, for formats that store columns.
import { idOf, type Labelled } from './labelled.js';

export type Column =
  | { readonly name: string; readonly kind: 'texts'; readonly values: readonly string[] }
  | { readonly name: string; readonly kind: 'integers'; readonly values: Int32Array }
  | { readonly name: string; readonly kind: 'floats'; readonly values: Float32Array };

/** Returns the columns of csv-file.ts, with the same names. `known` is empty if the label is unknown. */
export function columnsOf(labelled: Labelled): Column[] {
  const { ids, count, classNames, classes, confidences, runnersUp, known } = labelled;
  const images = Array.from({ length: count }, (_, image) => image);
  const texts = (name: string, values: readonly string[]): Column => ({ name, kind: 'texts', values });
  const named = (name: string, positions: Uint16Array): Column =>
    texts(
      name,
      images.map((image) => classNames[positions[image]!]!),
    );
  return [
    ids
      ? texts(
          'file',
          images.map((image) => idOf(labelled, image)),
        )
      : { name: 'index', kind: 'integers', values: Int32Array.from(images) },
    named('label', classes),
    { name: 'confidence', kind: 'floats', values: confidences },
    named('runner_up', runnersUp.classes),
    { name: 'runner_up_confidence', kind: 'floats', values: runnersUp.confidences },
    texts(
      'known',
      images.map((image) => known(image) ?? ''),
    ),
  ];
}
