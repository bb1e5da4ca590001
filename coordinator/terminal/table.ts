// Makes tables in plain text: columns as wide as they need to be, numbers aligned to the right.
import { percent, shortened, whole } from '../../src/format.js';
import { confusedPairs } from '../../src/reporting/confusion.js';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Returns lines without line ends: the titles, a rule, then one line for each row. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, c) => Math.max(title.length, ...rows.map((row) => row[c]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, c) => {
        const cell = cells[c] ?? '';
        return align === 'left' ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line)];
}

/** The most columns of a matrix. One with more is wider than a terminal. */
const MOST_COLUMNS = 20;
const NAME_OF_ROW = 24;
const NAME_OF_COLUMN = 8;
const MOST_PAIRS = 20;

/**
 * Returns counts[label][predicted] as a table, with the share of each label that was predicted right. If there are many
 * classes, returns the pairs that are confused most.
 */
export function confusionLines(counts: readonly (readonly number[])[], classNames: readonly string[]): string[] {
  if (classNames.length > MOST_COLUMNS) return pairLines(counts, classNames);
  const names = classNames.map((name) => shortened(name, NAME_OF_COLUMN));
  const columns: Column[] = ['label', ...names, 'right'].map((title) => ({ title, align: 'right' }));
  const rows = counts.map((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return [
      shortened(classNames[label]!, NAME_OF_ROW),
      ...row.map(String),
      total === 0 ? '-' : `${((100 * row[label]!) / total).toFixed(1)} %`,
    ];
  });
  return ['Confusion: a row for each label, a column for each prediction', ...tableLines(columns, rows)];
}

function pairLines(counts: readonly (readonly number[])[], classNames: readonly string[]): string[] {
  const name = (each: number): string => shortened(classNames[each]!, NAME_OF_ROW);
  const columns: Column[] = [
    { title: 'label', align: 'left' },
    { title: 'taken for', align: 'left' },
    { title: 'images', align: 'right' },
    { title: 'of the label', align: 'right' },
  ];
  const pairs = confusedPairs(counts, MOST_PAIRS);
  if (pairs.length === 0) return ['Confusion: no image is taken for one of another class'];
  const rows = pairs.map(({ label, predicted, count, share }) => [
    name(label),
    name(predicted),
    whole(count),
    percent(share, 1),
  ]);
  return [
    `Confusion: the ${pairs.length} pairs of ${classNames.length} classes that are confused most`,
    ...tableLines(columns, rows),
  ];
}
