// Prepares the images that a run keeps for the page: examples of its augmentation and, for a run that is read from its
// folder, its doubtful images.
import { STAGE_TITLES } from '../../src/reporting/curves.js';
import { pngOf, type Size } from '../../src/reporting/image.js';
import type { DoubtfulRecord, ViewsRecord } from '../../src/reporting/record.js';
import { viewTitle } from '../../src/reporting/rounds.js';
import type { UnsureNews, ViewsNews } from './messages.js';

export function viewsNews(views: ViewsRecord | undefined): ViewsNews[] | undefined {
  return views?.sets.flatMap((set) =>
    set.shown.map(({ pixels, ...of }) => {
      const stage = views.sets.length > 1 ? `${STAGE_TITLES[set.stage]}: ` : '';
      return { title: `${stage}${viewTitle(set, of)}`, pngs: pixels.map((each) => png(each, views)) };
    }),
  );
}

export function doubtfulNews(doubtful: DoubtfulRecord | undefined): UnsureNews[] | undefined {
  return doubtful?.images.map(({ name, label, weight, pixels }) => ({
    name,
    png: png(pixels, doubtful),
    label,
    before: undefined,
    confidence: weight,
  }));
}

const png = (base64: string, size: Size): string =>
  Buffer.from(pngOf(Buffer.from(base64, 'base64'), size)).toString('base64');
