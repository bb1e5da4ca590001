// Shows the table of a reproduction on the page: the results so far, which run goes on, and links to each run.
import type { RunNews, TableNews } from '../messages.js';
import { byId, element, row, table } from './elements.js';
import type { Series } from './series.js';

/** Whether the page stays with one run, which its address names. */
const isFixed = new URLSearchParams(location.search).has('run');

/** What the page shows now. It is compared, because a table that is made again would lose the keyboard's focus. */
let shown: { readonly table: TableNews; readonly run: string } | undefined;

export function showRuns({ table: runs, info }: Series): void {
  byId('runs-section').hidden = runs === undefined;
  if (!runs || (shown?.table === runs && shown.run === info.name)) return;
  shown = { table: runs, run: info.name };
  const isCompared = runs.rows.some(({ report }) => report !== undefined);
  const rows = runs.rows.map(({ name, paper, report, ours, runs: ofRow }) =>
    row(name, [
      ...(isCompared ? [paper, report].map((value) => element('td', value?.toFixed(2) ?? '–')) : []),
      element('td', ours ? oursOf(ours, report) : '–'),
      ...ofRow.map((run, split) => cell(run, `${name}, ${runs.splits[split]}`, runs.splits.length > 1, info.name)),
    ]),
  );
  const all = runs.rows.flatMap((each) => each.runs);
  const ended = all.filter(({ state }) => state === 'ended').length;
  const mark = isCompared ? '; ✓ above the report' : '';
  const caption = `Accuracy on the test images in per cent${mark}. ${ended} of ${all.length} runs have ended.`;
  const published = isCompared ? ['Paper', 'Report'] : [];
  byId('runs').replaceChildren(table(caption, ['Row', ...published, 'Ours', ...runs.splits], rows));
  byId('follow').hidden = !isFixed;
  byId('all-report').hidden = runs.state === 'running' || !info.hasReport;
}

const oursOf = (
  { accuracy, deviation }: { accuracy: number; deviation: number | undefined },
  report: number | undefined,
): string =>
  `${report !== undefined && accuracy > report ? '✓ ' : ''}${accuracy.toFixed(2)}${deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`}`;

/** Makes a cell with a link to the run, if there is something to show. */
function cell({ name, state, accuracy }: RunNews, title: string, isRepeated: boolean, current: string): HTMLElement {
  const number = isRepeated && accuracy !== undefined ? (100 * accuracy).toFixed(2) : 'ended';
  const text = { waiting: '–', running: 'training', stopped: 'not ended', ended: number }[state];
  if (state === 'waiting') return element('td', text);
  const link = document.createElement('a');
  link.href = state === 'running' ? '/' : `/?run=${encodeURIComponent(name)}`;
  link.textContent = text;
  link.setAttribute('aria-label', `${title}: ${text}, show this run`);
  if (name === current) link.setAttribute('aria-current', 'true');
  return element('td', '', [link]);
}
