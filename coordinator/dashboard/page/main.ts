// Runs the page of the dashboard: listens to the server, and draws what it sends at most once per frame.
import type { Everything, News } from '../messages.js';
import { Charts } from './charts.js';
import { makeReachable } from './elements.js';
import { Series } from './series.js';
import { show, showConnection } from './view.js';

for (const each of document.querySelectorAll<HTMLElement>('.scroll, #events')) makeReachable(each);
const charts = new Charts(document.getElementById('charts')!);
let series: Series | undefined;
let isConnected = false;
let isDrawing = false;

// The state is drawn in the same frame as the run. So a run that is shown as ended also shows its last step and its
// end.
function draw(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    if (series) {
      show(series);
      charts.show(series);
    }
    showConnection(isConnected, series);
  });
}

// The browser reconnects automatically. The server then begins with everything, as it does when the next run begins.
const source = new EventSource(`/events${location.search}`);
const listen = <T>(name: 'everything' | 'news', take: (message: T) => void): void => {
  source.addEventListener(name, (event: MessageEvent<string>) => {
    take(JSON.parse(event.data) as T);
    isConnected = true;
    if (series && series.state !== 'running') source.close();
    draw();
  });
};
listen<Everything>('everything', (message) => {
  series = new Series(message);
});
listen<News>('news', (message) => series?.add(message));
source.addEventListener('error', () => {
  isConnected = false;
  draw();
});
