// Tables in plain text: columns as wide as they need to be, numbers aligned to the right.
export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Lines without line ends: the titles, a rule, then one line a row. */
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

/** counts[label][predicted], with the share of each label that was recognised. */
export function confusionLines(counts: readonly (readonly number[])[], classNames: readonly string[]): string[] {
  const columns: Column[] = ['label', ...classNames, 'right'].map((title) => ({ title, align: 'right' }));
  const rows = counts.map((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return [
      classNames[label]!,
      ...row.map(String),
      total === 0 ? '-' : `${((100 * row[label]!) / total).toFixed(1)} %`,
    ];
  });
  return ['Confusion: a row for each label, a column for each prediction', ...tableLines(columns, rows)];
}
