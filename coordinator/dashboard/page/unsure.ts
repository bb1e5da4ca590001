// Shows the images that the model was least sure of at the last look, with the class that each has now and had before.
import type { UnsureNews } from '../messages.js';
import { byId, element } from './elements.js';
import type { Series } from './series.js';

let shown: readonly UnsureNews[] | undefined;

export function showUnsure({ unsure, info }: Series): void {
  byId('unsure-section').hidden = unsure === undefined;
  if (!unsure || unsure === shown) return;
  shown = unsure;
  const nameOf = (label: number): string => info.classNames?.[label] ?? String(label);
  const items = unsure.map(({ name, png, label, before, confidence }) => {
    const image = document.createElement('img');
    image.src = `data:image/png;base64,${png}`;
    const isChanged = before !== undefined && before !== label;
    const text = `${nameOf(label)}, ${(100 * confidence).toFixed(0)} %${isChanged ? `, was ${nameOf(before)}` : ''}`;
    image.alt = `${name}: ${text}`;
    image.title = name;
    const words = element('span', text);
    if (isChanged) words.className = 'lost';
    return element('li', '', [image, words]);
  });
  byId('unsure').replaceChildren(...items);
}
