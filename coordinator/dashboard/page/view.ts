// Shows the parts of the page that are words and numbers.
import type { RunInfo } from '../messages.js';
import { byId, coloursOf, element, row, table, WAITING } from './elements.js';
import { showMap } from './map.js';
import { showRounds, showViews } from './rounds.js';
import { showRuns } from './runs.js';
import type { Series } from './series.js';
import { showUnsure } from './unsure.js';

const STATES = { running: 'training', ended: 'ended', failed: 'failed', interrupted: 'interrupted' } as const;
const EVENTS_SHOWN = 200;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export function showConnection(isConnected: boolean, series: Series | undefined): void {
  const state = byId('state');
  const text = isConnected ? (series ? STATES[series.state] : 'connecting') : 'connection lost, trying again';
  if (state.textContent !== text) state.textContent = text; // Otherwise a screen reader would say it again.
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
  showRounds(series);
  showUnsure(series);
  showViews(series);
  showMap(series.lanes, series.nodes);
  showLanes(series);
  showNodes(series);
  showSettings(series);
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

const durationOf = (seconds: number): string => {
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

type Fact = readonly [name: string, value: string];

/** Returns the facts of a run that goes on, such as the time left. */
function runningFacts(series: Series): Fact[] {
  const speed = series.speed();
  const seconds = speed && series.stepsLeft() / speed.steps;
  const end = seconds === undefined ? undefined : new Date(Date.now() + 1000 * seconds);
  return [
    ['Time left', seconds === undefined ? '–' : durationOf(seconds)],
    ['Ends at', end?.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) ?? '–'],
    ['Images/s', speed ? whole(speed.rows) : '–'],
    ['Steps/s', speed ? speed.steps.toFixed(1) : '–'],
  ];
}

/** Returns the facts of a run that has ended. */
function endedFacts({ result }: Series): Fact[] {
  if (!result) return [];
  const { testAccuracy, seconds, at } = result;
  return [
    ...(testAccuracy === undefined ? [] : [['Accuracy on test images', percent(testAccuracy)] as const]),
    ['Time of training', durationOf(seconds)],
    ...(at === null ? [] : [['Ended', new Date(at).toLocaleString()] as const]),
  ];
}

function showFacts(series: Series): void {
  const { info, result } = series;
  const stage = info.stages[series.stage()];
  const validation = series.accuracy.at(-1) ?? result?.validationAccuracy;
  const facts: readonly Fact[] = [
    ['Stage', stage ? `${stage.title}, ${series.stage() + 1} of ${info.stages.length}` : '–'],
    ['Step', `${whole(series.allSteps() - series.stepsLeft())} of ${whole(series.allSteps())}`],
    ...(series.state === 'running' ? runningFacts(series) : endedFacts(series)),
    ['Accuracy on validation images', validation === undefined || validation === null ? '–' : percent(validation)],
    ...(series.lastLook ? [['Changed pseudo-labels', whole(series.lastLook.flips)] as const] : []),
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

/** The settings that are shown. They do not change, and a table that is made again would lose its scroll position. */
let shownSettings: RunInfo['settings'];

function showSettings({ info: { settings } }: Series): void {
  byId('settings-section').hidden = settings === undefined;
  if (!settings || settings === shownSettings) return;
  shownSettings = settings;
  const rows = settings.rows.map(({ path, values }) =>
    row(
      path,
      values.map((value) => element('td', value ?? '–')),
    ),
  );
  const caption = 'Of each stage; --set STAGE.NAME=VALUE changes one';
  byId('settings').replaceChildren(table(caption, ['Name', ...settings.stages], rows));
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
  bar.setAttribute('aria-hidden', 'true'); // The numbers are beside the bar.
  return element('td', '', [bar]);
}

/** The most lines of the table of classes. */
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
  byId('labels').replaceChildren(table(caption, ['Class', 'Images', 'Share', 'Compared'], rows));
}

function showLanes({ lanes, state }: Series): void {
  byId('lanes-section').hidden = lanes.length === 0 && state !== 'running';
  if (lanes.length === 0) return;
  // Workers wait for each other within a step, and for work between steps. They do nothing in both times.
  const names = [...new Set(lanes.flatMap(({ shares }) => shares.map(([part]) => part)))].filter(
    (part) => part !== 'wait',
  );
  const colours = coloursOf(names);
  const rows = lanes.map(({ worker, shares }) => {
    const of = (name: string): number => shares.find(([part]) => part === name)?.[1] ?? 0;
    const busy = names.reduce((sum, name) => sum + of(name), 0);
    const pieces = names.map((name) => piece(of(name), colours[name]!, name));
    const numbers = [...names.map(of), Math.max(0, 1 - busy)].map((share) => element('td', percent(share)));
    return row(`Worker ${worker}`, [...numbers, bars('lane', pieces)]);
  });
  byId('lanes').replaceChildren(table('Shares of the time', ['Worker', ...names, WAITING, 'Together'], rows, colours));
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
  byId('nodes').replaceChildren(table('Shares of the time', ['Node', 'now', ...names, 'Together'], rows, colours));
}

function showEvents({ events }: Series): void {
  const list = byId('events');
  const shown = events.slice(-EVENTS_SHOWN).reverse();
  list.replaceChildren(
    ...shown.map(({ at, text }) => element('li', at === null ? text : `${new Date(at).toLocaleTimeString()}  ${text}`)),
  );
}
