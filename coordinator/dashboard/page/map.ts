// Draws the map of a cluster: the coordinator with its workers, and its nodes on other machines, each with its current
// activity.
import type { LaneNews, NodeNews } from '../messages.js';
import { byId, coloursOf, element, key, WAITING } from './elements.js';

/** Returns what takes most of a worker's time. */
function mostly({ shares }: LaneNews): string {
  const busy = shares.reduce((sum, [, share]) => sum + share, 0);
  const parts: (readonly [string, number])[] = [...shares.filter(([part]) => part !== 'wait'), [WAITING, 1 - busy]];
  return parts.reduce((most, part) => (part[1] > most[1] ? part : most))[0];
}

export function showMap(lanes: readonly LaneNews[], nodes: readonly NodeNews[]): void {
  byId('map-section').hidden = lanes.length === 0 && nodes.length === 0;
  if (lanes.length === 0 && nodes.length === 0) return;
  const workers = lanes.map((lane) => ({ name: `worker ${lane.worker}`, doing: mostly(lane) }));
  const colours = coloursOf(
    [...new Set(workers.map(({ doing }) => doing))].filter((doing) => doing !== WAITING).sort(),
  );
  const own = element('li', '', workers.length === 0 ? [] : [workerList(workers, colours)]);
  const machine = element('div', '', [element('strong', 'coordinator'), ...own.childNodes]);
  machine.className = 'machine';
  const root = element('li', '', nodes.length === 0 ? [machine] : [machine, nodeList(nodes)]);
  root.className = 'root';
  const map = element('ul', '', [root]);
  map.className = 'map';
  byId('map').replaceChildren(map);
}

function workerList(
  workers: readonly { readonly name: string; readonly doing: string }[],
  colours: Readonly<Record<string, string>>,
): HTMLElement {
  const items = workers.map(({ name, doing }) => {
    const item = element('li', `${name}: ${doing}`);
    item.prepend(key(colours[doing] ?? 'line'));
    return item;
  });
  const list = element('ul', '', items);
  list.className = 'workers';
  return list;
}

function nodeList(nodes: readonly NodeNews[]): HTMLElement {
  const items = nodes.map(({ name, doing }) => {
    const state = element('span', `now: ${doing}`);
    const isLost = doing === 'gone' || doing === 'behind';
    if (isLost) state.className = 'lost';
    const item = element('li', '', [element('strong', name), document.createElement('br'), state]);
    item.className = `machine${isLost ? ' gone' : ''}`;
    return item;
  });
  const list = element('ul', '', items);
  list.className = 'others';
  return list;
}
