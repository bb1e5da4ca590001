// The page on which a person checks the least certain labels of a model, and corrects them. It is one file that needs
// no network. The decisions are downloaded as corrected.csv, which --labels reads.
import { percent, whole } from '../format.js';
import { idOf, type Labelled } from '../labelling/labelled.js';
import { pngOf, type Size } from './image.js';
import { Html, html, page } from './page.js';

/**
 * The most classes that get a button each. With more, a card has buttons for the two likeliest classes only, and a
 * field for all others.
 */
export const MOST_CHOICES = 12;

/** The data of the page's script (coordinator/review/script.ts). */
export interface ReviewData {
  /** Identifies the review in the browser, which stores the decisions. */
  readonly key: string;
  /** The first column of corrected.csv. */
  readonly by: 'file' | 'index';
  readonly classNames: readonly string[];
  /** The name of each card's image, and the positions of its likeliest classes. */
  readonly images: readonly { readonly id: string; readonly guess: number; readonly second: number }[];
  /** The labels that the data already has. They go into corrected.csv as well, which then replaces them. */
  readonly known: readonly (readonly [id: string, label: string])[];
}

export interface Review {
  /** The name of the data. */
  readonly name: string;
  readonly labelled: Labelled;
  /** The images to show, the least certain first. */
  readonly images: readonly number[];
  readonly size: Size;
  pixels(image: number): Uint8Array;
}

const TITLE = 'Review of labels';
/** This is near the start of every such page. */
export const REVIEW_MARK = `<title>${TITLE}</title>`;

/**
 * Returns a whole HTML document. script: JavaScript that finds the data in the element #data. key: as in ReviewData.
 */
export function reviewPage(review: Review, script: string, key: string): string {
  const { name, labelled, images } = review;
  const data: ReviewData = {
    key,
    by: labelled.ids ? 'file' : 'index',
    classNames: labelled.classNames,
    images: images.map((image) => ({
      id: idOf(labelled, image),
      guess: labelled.classes[image]!,
      second: labelled.runnersUp.classes[image]!,
    })),
    known: knownOf(labelled),
  };
  const lead = `${whole(images.length)} of ${whole(labelled.count)} images of ${name}: those that the model is least sure of, the least sure first`;
  return page(TITLE, lead, [toolbar(images.length), helpSection(labelled), cards(review), dataOf(data)], {
    script,
    style: STYLE,
  });
}

function knownOf(labelled: Labelled): ReviewData['known'] {
  const known: [string, string][] = [];
  for (let image = 0; image < labelled.count; image++) {
    const label = labelled.known(image);
    if (label !== undefined) known.push([idOf(labelled, image), label]);
  }
  return known;
}

const toolbar = (
  images: number,
): Html => html`<div class="bar"><span role="status" id="state">0 of ${whole(images)} decided</span>
<button type="button" id="download">Download corrected.csv</button> <button type="button" id="clear">Forget all</button></div>`;

function helpSection({ classNames }: Labelled): Html {
  const isFew = classNames.length <= MOST_CHOICES;
  const keys = keysOf(classNames);
  const how = isFew
    ? html`choose the class of the image, with the mouse or by its key (<kbd>${keys[0]}</kbd> for ${classNames[0]})`
    : html`choose the model's class (<kbd>1</kbd>), the runner-up (<kbd>2</kbd>), or write any other (<kbd>3</kbd>)`;
  return html`<details open><summary>How this works</summary>
<p>In each card, ${how}. <kbd>Enter</kbd> takes the model's class, <kbd>Backspace</kbd> goes back to the image before; a card that is left
undecided does not count. Decisions are kept in this browser until you forget them.</p>
<p>Then download corrected.csv: it has what you decided, and the labels that the data has already. Train with it: <code>--labels corrected.csv</code>.</p></details>`;
}

/**
 * Returns the keys of the first classes: their names if these are single characters, and otherwise 1, 2, 3 ... 9, 0.
 */
export function keysOf(classNames: readonly string[]): string[] {
  const lower = classNames.map((name) => name.toLowerCase());
  const areKeys = lower.every((name) => /^[^\s]$/.test(name)) && new Set(lower).size === lower.length;
  return areKeys ? lower : [...'1234567890'].slice(0, classNames.length);
}

function cards(review: Review): Html {
  const { labelled } = review;
  const { classNames } = labelled;
  const others =
    classNames.length > MOST_CHOICES
      ? html`<datalist id="classes">${classNames.map((name) => html`<option value="${name}">`)}</datalist>`
      : undefined;
  return html`${others}<ol class="cards">${review.images.map((image, card) => cardOf(review, image, card))}</ol>`;
}

function cardOf({ labelled, size, pixels }: Review, image: number, card: number): Html {
  const { classNames, classes, confidences, runnersUp, known } = labelled;
  const [guess, second] = [classes[image]!, runnersUp.classes[image]!];
  const id = idOf(labelled, image);
  const png = Buffer.from(pngOf(pixels(image), size)).toString('base64');
  const given = known(image);
  const isFew = classNames.length <= MOST_CHOICES;
  const keys = isFew ? keysOf(classNames) : ['1', '2'];
  const offered = isFew ? [...classNames.keys()] : [guess, second];
  return html`<li><fieldset data-card="${card}"><legend>${id}</legend>
<img src="data:image/png;base64,${png}" width="${size.columns}" height="${size.rows}" alt="${`Image ${id}`}">
<p>${classNames[guess]!} (${percent(confidences[image]!, 1)}), or ${classNames[second]!} (${percent(runnersUp.confidences[image]!, 1)})${given === undefined ? undefined : html`; labelled ${given}`}</p>
<div class="choices">${offered.map((each, i) => choice(card, each, classNames[each]!, keys[i], each === guess))}
${isFew ? undefined : html`<label class="other">other <kbd>3</kbd> <input type="text" list="classes" autocomplete="off"></label>`}</div></fieldset></li>`;
}

const choice = (card: number, each: number, name: string, key: string | undefined, isGuess: boolean): Html =>
  html`<label${isGuess ? GUESS : undefined}><input type="radio" name="card-${card}" value="${each}">${name}${key === undefined || key === name.toLowerCase() ? undefined : html` <kbd>${key}</kbd>`}</label>`;

const GUESS = new Html(' class="guess"');

/** Returns the element with the data. No text in it can end the element. */
const dataOf = (data: ReviewData): Html =>
  new Html(`<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>`);

const STYLE = `
.bar{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;padding:.5rem 0;background:var(--paper);border-bottom:1px solid var(--line)}
.bar span{flex:1 1 10rem}
button{font:inherit;padding:.35rem .8rem;border:1px solid var(--faint);border-radius:.3rem;background:var(--paper);color:var(--ink);cursor:pointer}
#download{background:var(--series1);border-color:var(--series1);color:var(--paper)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:.8rem;padding:0;margin:1rem 0;list-style:none}
fieldset{height:100%;margin:0;padding:.5rem .7rem .7rem;border:1px solid var(--line);border-radius:.4rem;min-width:0;scroll-margin-top:4rem}
fieldset:focus-within{border-color:var(--series1);background:color-mix(in srgb,var(--series1) 8%,var(--paper))}
fieldset.decided{border-color:var(--series3);border-left-width:4px}
legend{font-size:.85rem;overflow-wrap:anywhere;color:var(--faint);padding:0 .3rem}
.cards img{width:7rem;height:auto;image-rendering:pixelated;background:#000;display:block}
.cards p{font-size:.9rem;margin:.4rem 0}
.choices{display:flex;flex-wrap:wrap;gap:.3rem}
.choices label{display:inline-flex;align-items:center;gap:.3rem;padding:.3rem .6rem;border:1px solid var(--line);border-radius:1rem;cursor:pointer;overflow-wrap:anywhere}
.choices .guess{border-color:var(--series2);border-style:dashed}
.choices label:has(:checked){border-color:var(--series1);background:var(--series1);color:var(--paper)}
.choices label:focus-within{outline:3px solid var(--series1);outline-offset:2px}
.choices input[type=radio]{margin:0;outline:none;accent-color:var(--paper)}
.choices input[type=text]{font:inherit;width:9rem;max-width:100%;background:var(--paper);color:var(--ink);border:1px solid var(--faint)}
kbd{font:.8em system-ui,sans-serif;border:1px solid currentColor;border-radius:.2rem;padding:0 .3em;opacity:.75}
`.replaceAll('\n', '');
