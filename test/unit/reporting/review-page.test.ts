// Tests the review page as text: it is safe for any names of images and classes, and usable with any number of classes.
import { describe, expect, it } from 'vitest';
import { type Labelled, labelledOf, leastSure } from '../../../src/labelling/labelled.js';
import { keysOf, type Review, type ReviewData, reviewPage } from '../../../src/reporting/review-page.js';

const UNKNOWN = 0xffff;

function labelled(classNames: readonly string[], part: Partial<Labelled> = {}): Labelled {
  const predicted = {
    classes: Uint16Array.of(0, 1, 0),
    confidences: Float32Array.of(0.5, 0.9, 0.4),
    runnersUp: { classes: Uint16Array.of(1, 0, 1), confidences: Float32Array.of(0.3, 0.1, 0.2) },
  };
  const set = { count: 3, ids: ['a.png', 'b.png', 'c.png'], labels: Uint16Array.of(UNKNOWN, 1, UNKNOWN) };
  return { ...labelledOf(set, classNames, { ...predicted, classNames }), ...part };
}

const reviewOf = (of: Labelled): Review => ({
  name: 'mine',
  labelled: of,
  images: [2, 0],
  size: { rows: 1, columns: 2, channels: 3 },
  pixels: () => Uint8Array.of(255, 0, 0, 0, 255, 0),
});

const dataIn = (page: string): ReviewData =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)![1]!) as ReviewData;

describe('the review page', () => {
  it('has a card for each image, the classes to choose from, and the labels that are known', () => {
    const page = reviewPage(reviewOf(labelled(['cat', 'dog'])), 'go()', 'key');
    expect(dataIn(page)).toEqual({
      key: 'key',
      by: 'file',
      classNames: ['cat', 'dog'],
      known: [['b.png', 'dog']],
      images: [
        { id: 'c.png', guess: 0, second: 1 },
        { id: 'a.png', guess: 0, second: 1 },
      ],
    });
    expect(page.match(/<fieldset/g)).toHaveLength(2);
    expect(page.match(/<input type="radio"/g)).toHaveLength(4);
    expect(page).toContain('cat (40.0 %), or dog (20.0 %)');
    expect(page).toContain(`script-src &#39;sha256-`);
  });

  it('offers the two likeliest of many classes, and a field for any other', () => {
    const page = reviewPage(reviewOf(labelled(Array.from({ length: 300 }, (_, each) => `class ${each}`))), '', 'key');
    expect(page.match(/<input type="radio"/g)).toHaveLength(4);
    expect(page.match(/<input type="text" list="classes"/g)).toHaveLength(2);
    expect(page.match(/<option /g)).toHaveLength(300);
  });

  it('shows what images and classes are called as text, whatever that is', () => {
    const evil = `"></script><script>alert(1)</script><!--'&`;
    const of = labelled([evil, 'dog'], { ids: [evil, 'b', 'c'] });
    const page = reviewPage({ ...reviewOf(of), name: evil }, 'go()', 'key');
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).not.toContain('<!--');
    expect(dataIn(page).classNames[0]).toBe(evil);
    expect(() => reviewPage(reviewOf(of), 'a("</script>")', 'key')).toThrow(RangeError);
  });

  it('has keys that are the names of classes where these are single characters', () => {
    expect(keysOf(['3', 'A'])).toEqual(['3', 'a']);
    expect(keysOf(['cat', 'b'])).toEqual(['1', '2']);
    expect(keysOf(Array.from({ length: 12 }, (_, each) => `class ${each}`))).toHaveLength(10);
  });
});

describe('the least sure images', () => {
  it('are those without a label that have the least confidence; of all where each has one', () => {
    expect(leastSure(labelled(['cat', 'dog']), 5)).toEqual([2, 0]);
    expect(leastSure(labelled(['cat', 'dog']), 1)).toEqual([2]);
    expect(leastSure(labelled(['cat', 'dog'], { known: () => 'cat' }), 2)).toEqual([2, 0]);
  });
});
