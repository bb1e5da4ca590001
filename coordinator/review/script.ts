// Runs in the review page in a browser: stores what a person decides, and makes corrected.csv from it. The script is
// put into the page unchanged, so it can only import types.
import type { ReviewData } from '../../src/reporting/review-page.js';

const data = JSON.parse(document.getElementById('data')!.textContent!) as ReviewData;
const cards = [...document.querySelectorAll<HTMLFieldSetElement>('fieldset')];
/** The name of the class that is decided for each card. */
const decided = new Map<number, string>(restored());

/** Returns what the browser has stored of this review. */
function restored(): [number, string][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(data.key) ?? '[]');
    return Array.isArray(kept) ? (kept as [number, string][]).filter(([card]) => card < cards.length) : [];
  } catch {
    return []; // The browser stores nothing for pages from a disk. Then the review lasts as long as the page is open.
  }
}

function keep(): void {
  try {
    localStorage.setItem(data.key, JSON.stringify([...decided]));
  } catch {
    // See restored().
  }
}

const radiosOf = (card: HTMLFieldSetElement): HTMLInputElement[] => [
  ...card.querySelectorAll<HTMLInputElement>('input[type=radio]'),
];
const fieldOf = (card: HTMLFieldSetElement): HTMLInputElement | null =>
  card.querySelector<HTMLInputElement>('input[type=text]');

function decide(index: number, name: string | undefined): void {
  if (name === undefined || name === '') decided.delete(index);
  else decided.set(index, name);
  keep();
  show(index);
  showState();
}

/** Shows what is decided for a card. */
function show(index: number): void {
  const card = cards[index]!;
  const name = decided.get(index);
  card.classList.toggle('decided', name !== undefined);
  let isOffered = false;
  for (const radio of radiosOf(card)) {
    radio.checked = name !== undefined && data.classNames[Number(radio.value)] === name;
    isOffered ||= radio.checked;
  }
  const field = fieldOf(card);
  if (field && document.activeElement !== field) field.value = isOffered ? '' : (name ?? '');
}

function showState(): void {
  document.getElementById('state')!.textContent = `${decided.size} of ${cards.length} decided`;
}

function focusCard(index: number): void {
  const card = cards[index];
  if (!card) return;
  const radios = radiosOf(card);
  (radios.find((radio) => radio.checked) ?? radios[0])?.focus();
  card.scrollIntoView({ block: 'nearest' });
}

/** Returns the class that a key means in a card, or undefined if it means none. */
function classOf(key: string, index: number): string | undefined {
  const card = cards[index]!;
  const radio = radiosOf(card).find((each) => {
    const label = each.parentElement!;
    const named = label.querySelector('kbd')?.textContent ?? data.classNames[Number(each.value)]!.toLowerCase();
    return named === key;
  });
  return radio && data.classNames[Number(radio.value)];
}

/** Returns the first card without a decision. */
const nextCard = (): number => cards.findIndex((_, index) => !decided.has(index));

/** Handles a key. A key that is pressed outside of all cards is for the next one. Buttons have keys of their own. */
function pressed(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  const within = target.closest('fieldset');
  if (!within && target.closest('button, a, summary')) return;
  const card = within ?? cards[nextCard()];
  if (!card) return;
  const index = cards.indexOf(card);
  const field = fieldOf(card);
  const isWriting = event.target === field;
  if (isWriting && event.key !== 'Enter') return;
  const found = classOf(event.key.toLowerCase(), index);
  if (event.key === 'Enter') {
    if (!isWriting) decide(index, data.classNames[data.images[index]!.guess]);
    focusCard(index + 1);
  } else if (found !== undefined) {
    decide(index, found);
    focusCard(index + 1);
  } else if (event.key === 'Backspace') focusCard(index - 1);
  else if (event.key === 'Delete') decide(index, undefined);
  else if (event.key === '3' && field) field.focus();
  else return;
  event.preventDefault();
}

const quoted = (text: string): string => (/[",\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function download(): void {
  const labels = new Map(data.known);
  for (const [card, name] of decided) labels.set(data.images[card]!.id, name);
  const lines = [[data.by, 'label'], ...labels].map((cells) => `${cells.map(quoted).join(',')}\n`);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(lines, { type: 'text/csv' }));
  link.download = 'corrected.csv';
  link.click();
  URL.revokeObjectURL(link.href);
}

for (const [index, card] of cards.entries()) {
  card.addEventListener('change', ({ target }) => {
    const input = target as HTMLInputElement;
    decide(index, input.type === 'radio' ? data.classNames[Number(input.value)] : input.value.trim());
  });
  card.addEventListener('click', ({ target }) => {
    if (!(target as HTMLElement).closest('input, label, button, a')) focusCard(index);
  });
  if (decided.has(index)) show(index);
}
document.addEventListener('keydown', pressed);
document.getElementById('download')!.addEventListener('click', download);
document.getElementById('clear')!.addEventListener('click', () => {
  if (!confirm('Forget all that was decided here?')) return;
  decided.clear();
  keep();
  for (const index of cards.keys()) show(index);
  showState();
});
showState();
focusCard(nextCard());
