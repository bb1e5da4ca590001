// The parts of the page that are words and numbers.
import { byId, element, row, table } from './elements.js';
import { showRuns } from './runs.js';
import type { Series } from './series.js';

const STATES = { running: 'training', ended: 'ended', failed: 'failed', interrupted: 'interrupted' } as const;
const PART_COLOURS = ['series1', 'series2', 'series3', 'series4', 'series5', 'series6'];
const EVENTS_SHOWN = 200;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function showConnection(isConnected: boolean, series: Series | undefined): void {
  const state = byId('state');
  const text = isConnected ? (series ? STATES[series.state] : 'connecting') : 'connection lost, trying again';
  if (state.textContent !== text) state.textContent = text; // or a screen reader would say it again
  state.classList.toggle('lost', !isConnected);
}

export function show(series: Series): void {
  const { info } = series;
  document.title = `${info.title} - pseudolabel`;
  byId('title').textContent = info.title;
  byId('name').textContent = `Run ${info.name}:`;
  showRuns(series);
  showStages(series);
  showFacts(series);
  showLabels(series);
  showLanes(series);
  showNodes(series);
  showEvents(series);
}

function showStages(series: Series): void {
  const items = series.info.stages.map(({ title, steps }, stage) => {
    const bar = document.createElement('progress');
    bar.max = steps;
    bar.value = series.done(stage);
    bar.setAttribute('aria-label', title);
    return element('li', '', [
      element('span', title),
      bar,
      element('span', `${whole(series.done(stage))} of ${whole(steps)} steps`),
    ]);
  });
  byId('stages').replaceChildren(...items);
}

function showFacts(series: Series): void {
  const { info } = series;
  const speed = series.state === 'running' ? series.speed() : undefined;
  const seconds = speed ? series.stepsLeft() / speed.steps : undefined;
  const end = seconds === undefined ? undefined : new Date(Date.now() + 1000 * seconds);
  const facts: readonly (readonly [string, string])[] = [
    ['Images/s', speed ? whole(speed.rows) : '–'],
    ['Steps/s', speed ? speed.steps.toFixed(1) : '–'],
    [
      'End at this speed',
      end ? end.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' }) : '–',
    ],
    ['alpha(t)', series.lastStep ? series.lastStep[5].toFixed(2) : '–'],
    ['Validation', series.accuracy.length > 0 ? percent(series.accuracy.at(-1)!) : '–'],
    ['Changed pseudo-labels', series.lastLook ? whole(series.lastLook.flips) : '–'],
  ];
  byId('facts').replaceChildren(
    ...facts.map(([name, value]) => element('div', '', [element('dt', name), element('dd', value)])),
  );
  if (!info.hasReport) return;
  const link = document.createElement('a');
  link.href = series.table ? `/${info.name}/report.html` : '/report.html';
  link.textContent = 'report';
  byId('facts').append(element('div', '', [element('dt', 'After the run'), element('dd', '', [link])]));
}

function piece(share: number, role: string, title = ''): HTMLElement {
  const made = element('i');
  made.style.width = `${100 * share}%`;
  made.style.background = `var(--${role})`;
  made.title = title;
  return made;
}

function bars(className: string, pieces: readonly HTMLElement[]): HTMLElement {
  const bar = element('div', '', pieces);
  bar.className = className;
  bar.setAttribute('aria-hidden', 'true'); // the numbers stand beside it
  return element('td', '', [bar]);
}

/** Lines of the table of classes. */
const MOST_CLASSES = 30;

function showLabels({ lastLook, info }: Series): void {
  if (!lastLook) return;
  const images = lastLook.perClass.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, ...lastLook.perClass);
  const all = lastLook.perClass.map((count, each) => ({ count, each }));
  const isMany = all.length > MOST_CLASSES;
  const shown = isMany ? all.sort((a, b) => b.count - a.count || a.each - b.each).slice(0, MOST_CLASSES) : all;
  const rows = shown.map(({ count, each }) =>
    row(info.classNames?.[each] ?? String(each), [
      element('td', whole(count)),
      element('td', percent(count / images)),
      bars('bar', [piece(count / most, 'series1')]),
    ]),
  );
  const which = isMany ? `; the ${MOST_CLASSES} largest of ${whole(all.length)} classes` : '';
  const caption = `${info.stages[lastLook.stage]!.title}, step ${whole(lastLook.step)}: ${whole(images)} images${which}`;
  byId('labels').replaceChildren(table(caption, ['Class', 'Images', 'Share', 'Bar'], rows));
}

const coloursOf = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name, n) => [name, PART_COLOURS[n % PART_COLOURS.length]!]));

function showLanes({ lanes, state }: Series): void {
  byId('lanes-section').hidden = lanes.length === 0 && state !== 'running';
  if (lanes.length === 0) return;
  const names = [...new Set(lanes.flatMap(({ shares }) => shares.map(([part]) => part)))];
  const colours = coloursOf(names);
  const rows = lanes.map(({ worker, shares }) => {
    const of = (name: string): number => shares.find(([part]) => part === name)?.[1] ?? 0;
    const busy = shares.reduce((sum, [, share]) => sum + share, 0);
    const pieces = names.map((name) => piece(of(name), colours[name]!, name));
    const numbers = [...names.map(of), Math.max(0, 1 - busy)].map((share) => element('td', percent(share)));
    return row(`Worker ${worker}`, [...numbers, bars('lane', pieces)]);
  });
  byId('lanes').replaceChildren(table('Shares of the time', ['Worker', ...names, 'waits', 'Bar'], rows, colours));
}

function showNodes({ nodes, marks }: Series): void {
  byId('marks').hidden = marks.length === 0;
  byId('nodes-section').hidden = nodes.length === 0;
  const names = [...new Set(nodes.flatMap(({ shares }) => shares.map(([doing]) => doing)))].sort();
  const colours = coloursOf(names);
  const rows = nodes.map(({ name, doing, shares }) => {
    const of = (what: string): number => shares.find(([each]) => each === what)?.[1] ?? 0;
    const pieces = names.map((each) => piece(of(each), colours[each]!, each));
    const now = element('td', doing);
    now.className = doing === 'gone' || doing === 'behind' ? 'lost' : '';
    return row(name, [now, ...names.map((each) => element('td', percent(of(each)))), bars('lane', pieces)]);
  });
  byId('nodes').replaceChildren(table('Shares of the time', ['Node', 'now', ...names, 'Bar'], rows, colours));
}

function showEvents({ events }: Series): void {
  const list = byId('events');
  const shown = events.slice(-EVENTS_SHOWN).reverse();
  list.replaceChildren(...shown.map(({ at, text }) => element('li', `${new Date(at).toLocaleTimeString()}  ${text}`)));
}
