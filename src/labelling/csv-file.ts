// Writes labels as a CSV or TSV file with a line for each image, which --labels reads.
import { idOf, type Labelled } from './labelled.js';

const LINES_AT_ONCE = 10_000;

/**
 * The columns after file or index: the model's class and its confidence, the second likeliest class and its confidence,
 * and the label that the data has.
 */
export const COLUMNS = ['label', 'confidence', 'runner_up', 'runner_up_confidence', 'known'] as const;

export const csvFile = (labelled: Labelled): Iterable<Uint8Array> => table(labelled, ',');
export const tsvFile = (labelled: Labelled): Iterable<Uint8Array> => table(labelled, '\t');

function* table(labelled: Labelled, separator: ',' | '\t'): Generator<Uint8Array> {
  const { ids, count, classNames, classes, confidences, runnersUp, known } = labelled;
  const line = (cells: readonly string[]): string =>
    `${cells.map((cell) => quoted(cell, separator)).join(separator)}\n`;
  yield Buffer.from(line([ids ? 'file' : 'index', ...COLUMNS]));
  for (let first = 0; first < count; first += LINES_AT_ONCE) {
    const lines = Array.from({ length: Math.min(LINES_AT_ONCE, count - first) }, (_, i) => {
      const image = first + i;
      return line([
        idOf(labelled, image),
        classNames[classes[image]!]!,
        confidences[image]!.toFixed(6),
        classNames[runnersUp.classes[image]!]!,
        runnersUp.confidences[image]!.toFixed(6),
        known(image) ?? '',
      ]);
    });
    yield Buffer.from(lines.join(''));
  }
}

/** Returns a field of CSV. It is quoted if it needs to be, for example because spaces at its ends belong to it. */
export const quoted = (text: string, separator = ','): string =>
  /["\r\n]|^\s|\s$/.test(text) || text.includes(separator) ? `"${text.replaceAll('"', '""')}"` : text;
