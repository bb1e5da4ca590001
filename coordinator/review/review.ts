// Writes the page on which a person corrects the labels that a model is least sure of.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { built } from '../../src/files/read.js';
import { writeAtomically } from '../../src/files/write.js';
import { idOf } from '../../src/labelling/labelled.js';
import { type Review, reviewPage } from '../../src/reporting/review-page.js';

/** Writes the page. Throws E_OUTPUT. */
export async function writeReview(path: string, review: Review): Promise<void> {
  await writeAtomically(path, reviewPage(review, scriptText(), keyOf(review)));
}

/** Returns script.ts as the browser runs it, without the line that names its source map. */
function scriptText(): string {
  return readFileSync(built('coordinator/review/script.js'), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

/**
 * Returns a key for what the person decides. It is the same for the same images and classes, even if the model's
 * predictions change, so decisions stay valid.
 */
function keyOf({ name, labelled, images }: Review): string {
  const hash = createHash('sha256');
  for (const text of [name, ...labelled.classNames, ...images.map((image) => idOf(labelled, image))])
    hash.update(`${JSON.stringify(text)}\n`);
  return `pseudolabel-review-${hash.digest('hex').slice(0, 32)}`;
}
