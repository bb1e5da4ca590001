// Shows the rounds of labelling and training, one line each, and how images are augmented.
import type { ViewsNews } from '../messages.js';
import { byId, element, row, table } from './elements.js';
import type { Series } from './series.js';

const percent = (share: number | undefined): string => (share === undefined ? '–' : `${(100 * share).toFixed(1)} %`);

/** Shows the rounds if there are several. The curves say as much of a single round. */
export function showRounds({ rounds, info }: Series): void {
  byId('rounds-section').hidden = rounds.size < 2;
  if (rounds.size < 2) return;
  const all = [...rounds];
  const isJudged = all.some(([, { look }]) => look?.right !== undefined);
  const isWithMembers = all.some(([, { agreement }]) => agreement !== undefined);
  const rows = all.map(([stage, { look, agreement, isFirst }]) => {
    const flips = look && !(isFirst && look.step === 0) ? look.flips.toLocaleString('en-US') : '–';
    const cells = [
      ...(isJudged ? [percent(look?.right)] : []),
      ...[percent(look?.meanConfidence), flips],
      ...(isWithMembers ? [percent(agreement)] : []),
    ];
    return row(
      info.stages[stage]!.title,
      cells.map((cell) => element('td', cell)),
    );
  });
  const columns = ['Stage', ...(isJudged ? ['Right labels'] : []), 'Mean confidence', 'Changed'];
  byId('rounds').replaceChildren(
    table(
      'The last pseudo-labels of each stage, and what its networks agree on in the end',
      [...columns, ...(isWithMembers ? ['Networks agree'] : [])],
      rows,
    ),
  );
}

/** The views that are shown. They do not change. */
let shownViews: readonly ViewsNews[] | undefined;

export function showViews({ info: { views } }: Series): void {
  byId('views-section').hidden = views === undefined;
  if (!views || views === shownViews) return;
  shownViews = views;
  const rows = views.map(({ title, pngs }) =>
    row(
      title,
      pngs.map((png, i) => {
        const image = document.createElement('img');
        image.src = `data:image/png;base64,${png}`;
        image.alt = `image ${i}, ${title}`;
        return element('td', '', [image]);
      }),
    ),
  );
  const made = element('table', '', [element('tbody', '', rows)]);
  made.className = 'rows';
  byId('views').replaceChildren(made);
}
