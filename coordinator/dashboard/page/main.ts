// The page of the dashboard: listens to the server, and draws what it says at most once a frame.
import type { Everything, News } from '../messages.js';
import { Charts } from './charts.js';
import { Series } from './series.js';
import { show, showConnection } from './view.js';

const charts = new Charts(document.getElementById('charts')!);
let series: Series | undefined;
let isDrawing = false;

function draw(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    if (!series) return;
    show(series);
    charts.show(series);
  });
}

// The browser reconnects by itself. The server then begins with everything, as it does when the next run begins.
const source = new EventSource(`/events${location.search}`);
const listen = <T>(name: 'everything' | 'news', take: (message: T) => void): void => {
  source.addEventListener(name, (event: MessageEvent<string>) => {
    take(JSON.parse(event.data) as T);
    showConnection(true, series);
    if (series && series.state !== 'running') source.close();
    draw();
  });
};
listen<Everything>('everything', (message) => {
  series = new Series(message);
});
listen<News>('news', (message) => series?.add(message));
source.addEventListener('error', () => showConnection(false, series));
