// The parts of a report about rounds of labelling and training: the quality of each round's labels, how far its
// networks agree, the images that the graph is least certain of, and the augmentation.
import { percent, whole } from '../format.js';
import { STAGE_TITLES, shareRight } from './curves.js';
import { picture } from './image.js';
import { nameOf } from './mistakes.js';
import { type Html, html, section, table, wide } from './page.js';
import type { LabelsRecord, MembersRecord, RunRecord, ViewsRecord } from './record.js';

/** What is known about a round: the last record of its pseudo-labels, and the record of its networks at its end. */
interface Round {
  readonly stage: LabelsRecord['stage'];
  readonly look: LabelsRecord | undefined;
  readonly members: MembersRecord | undefined;
}

function roundsOf({ metrics }: RunRecord): Round[] {
  const stages = [...new Set(metrics.map(({ stage }) => stage))];
  return stages.flatMap((stage) => {
    const look = metrics.findLast((metric) => metric.kind === 'labels' && metric.stage === stage);
    const members = metrics.findLast((metric) => metric.kind === 'members' && metric.stage === stage);
    return look || members ? [{ stage, look, members } as Round] : [];
  });
}

/** Returns a table with a line for each round, or undefined if there is only one, which the curves show as well. */
export function roundsTable(run: RunRecord): Html | undefined {
  const rounds = roundsOf(run);
  const isWithMembers = rounds.some(({ members }) => members);
  const isJudged = rounds.some(({ look, members }) => (look && shareRight(look) !== undefined) || members?.right);
  if (rounds.length < 2 && !isWithMembers) return undefined;
  const asked = rounds.find(({ members }) => members)?.members?.images;
  const judged = isJudged ? ', and what is right of it' : '';
  return table({
    caption: `Round by round: the pseudo-labels that it learned from${isWithMembers ? `, and what its networks say in the end of ${whole(asked!)} training images` : ''}${judged}`,
    columns: [
      'Stage',
      ...(isJudged ? ['Right labels'] : []),
      ...['Mean confidence', 'Changed'],
      ...(isWithMembers ? ['Networks agree'] : []),
      ...(isWithMembers && isJudged ? ['Each right', 'Together'] : []),
    ],
    rows: rounds.map(({ stage, look, members }, r) => [
      STAGE_TITLES[stage],
      ...(isJudged ? [shareOf(look && shareRight(look))] : []),
      shareOf(look?.meanConfidence),
      // Before the first round there were no pseudo-labels.
      look && (r > 0 || look.step > 0) ? whole(look.flips) : undefined,
      ...(isWithMembers ? [shareOf(members?.agreement)] : []),
      ...(isWithMembers && isJudged
        ? [members?.right?.each.map((share) => percent(share, 1)).join(', '), shareOf(members?.right?.together)]
        : []),
    ]),
  });
}

const shareOf = (share: number | undefined): string | undefined => (share === undefined ? undefined : percent(share));

/** Returns pictures of the images whose label the graph is least certain of. */
export function doubtfulPart(run: RunRecord): Html | undefined {
  const { doubtful } = run;
  if (!doubtful || doubtful.images.length === 0) return undefined;
  const isJudged = doubtful.images.some(({ known }) => known !== undefined);
  const items = doubtful.images.map(({ name, label, weight, known, pixels }) => {
    const truth = known === undefined || known === label ? '' : `, is ${nameOf(run, known)}`;
    const text = `${nameOf(run, label)}, ${percent(weight, 0)}${truth}`;
    return html`<li>${picture(pixels, doubtful, `${name}: ${text}`)}<span class="${truth && 'lost'}">${text}</span></li>`;
  });
  return html`<h3>Doubtful images of the graph</h3>
<p>Images of the last propagation (${STAGE_TITLES[doubtful.stage]}, step ${whole(doubtful.step)}) whose label is the least sure, and how much it weighs: 100 % of nothing but one class,
0 % of all classes alike.${isJudged ? ' Where the label is wrong, the true one stands behind it: it is known here for judging alone.' : ''}</p><ul class="digits">${items}</ul>`;
}

const VIEW_TITLES = {
  original: 'As it is',
  labelled: 'Changed',
  weak: 'Weak view',
  unlabelled: 'Strong view',
} as const;

type ViewSet = ViewsRecord['sets'][number];

/** Returns the title of a row of images. */
export function viewTitle({ shown }: ViewSet, { view, step }: Pick<ViewSet['shown'][number], 'view' | 'step'>): string {
  const isAlone = !shown.some((other) => other.view === 'weak');
  const title = view === 'unlabelled' && isAlone ? VIEW_TITLES.labelled : VIEW_TITLES[view];
  return step === undefined ? title : `${title}, step ${whole(step)}`;
}

/** Shows how images are augmented before they are trained on. */
export function viewsSection({ views }: RunRecord): Html | undefined {
  if (!views || views.sets.length === 0) return undefined;
  const tables = views.sets.map((set) => {
    const { stage, shown } = set;
    const isWeak = shown.some(({ view }) => view === 'weak');
    const rows = shown.map(({ pixels, ...of }) => {
      const head = viewTitle(set, of);
      const cells = pixels.map((each, i) => html`<td>${picture(each, views, `image ${i}, ${head}`)}</td>`);
      return html`<tr><th scope="row">${head}</th>${cells}</tr>`;
    });
    const trained = isWeak ? 'It predicts the weak view and is trained on the strong one' : 'It is trained on them';
    const caption = `${STAGE_TITLES[stage]}: the first images, and changes of them as its steps draw them. ${trained}.`;
    return wide(caption, 'rows', html`<tbody>${rows}</tbody>`);
  });
  return section('How images are changed', tables);
}
