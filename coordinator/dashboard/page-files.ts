// Owns the files of the page, as they are served, and what they may load.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { built } from '../../src/files/read.js';
import { PAGE_STYLE } from '../../src/reporting/theme.js';

export interface File {
  readonly type: string;
  readonly content: string;
}

/** By path. */
export function filesOfPage(): ReadonlyMap<string, File> {
  const library = createRequire(import.meta.url);
  const own = (name: string): string => readFileSync(built(`coordinator/dashboard/page/${name}`), 'utf8');
  const script = (content: string): File => ({ type: 'text/javascript; charset=utf-8', content });
  const style = (content: string): File => ({ type: 'text/css; charset=utf-8', content });
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', content: own('index.html') }],
    ...['main.js', 'view.js', 'runs.js', 'elements.js', 'charts.js', 'series.js'].map(
      (name) => [`/${name}`, script(own(name))] as const,
    ),
    ['/page.css', style(PAGE_STYLE + own('page.css'))],
    ['/uplot.js', script(readFileSync(library.resolve('uplot/dist/uPlot.esm.js'), 'utf8'))],
    ['/uplot.css', style(readFileSync(library.resolve('uplot/dist/uPlot.min.css'), 'utf8'))],
  ]);
}

/** Only our own files, and the one inline script that there is: the import map. */
export function policyOf(index: string): string {
  const [, map = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(index) ?? [];
  const hash = createHash('sha256').update(map).digest('base64');
  const own = `default-src 'self'; script-src 'self' 'sha256-${hash}'; style-src 'self' 'unsafe-inline'`;
  return `${own}; img-src data:; frame-ancestors 'none'`;
}
