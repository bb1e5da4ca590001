// Sends open pages what they need: everything once, then what is new, and everything again when the next run begins.
import type { ServerResponse } from 'node:http';
import type { Cursor, History } from './history.js';
import type { MessageName, TableNews } from './messages.js';

/** What pages can show. */
export interface Shown {
  /** The history of the current run, or of the last one. */
  readonly history: History;
  /** Is there if the run is one of several. */
  readonly runs?: Runs | undefined;
}

export interface Runs {
  /** The table. It is a new object whenever anything in it has changed. */
  readonly table: TableNews;
  /** Returns the history of one of the runs, by its name, or undefined if it has not begun. */
  history(name: string): Promise<History | undefined>;
}

interface Told {
  /** The run that the page asked for by its name; undefined: the current one. */
  readonly fixed: History | undefined;
  readonly history: History;
  readonly table: TableNews | undefined;
  readonly cursor: Cursor;
}

/**
 * The most unread bytes of a page. A page that does not read is disconnected, and asks for everything when it is back.
 */
const MOST_UNREAD_BYTES = 2 ** 24;
const MOST_PAGES = 32;

export class Audience {
  private readonly pages = new Map<ServerResponse, Told>();

  constructor(private readonly shown: Shown) {}

  /** Adds a page. run: the name of the run that the page shows; undefined: the current one. */
  async add(response: ServerResponse, run: string | undefined): Promise<void> {
    if (this.pages.size >= MOST_PAGES) return void response.writeHead(503, { 'retry-after': '5' }).end();
    const fixed = run === undefined ? undefined : await this.shown.runs?.history(run);
    if (run !== undefined && !fixed) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 1000\n');
    this.tellEverything(response, fixed);
    response.on('close', () => this.pages.delete(response));
  }

  tellNews(): void {
    const { history: current, runs } = this.shown;
    for (const [page, { fixed, history, table, cursor }] of this.pages) {
      if (page.writableLength > MOST_UNREAD_BYTES) page.destroy();
      else if ((fixed ?? current) !== history || runs?.table !== table) this.tellEverything(page, fixed);
      else {
        write(page, 'news', { ...history.since(cursor), ...this.stateFor(fixed) });
        this.pages.set(page, { fixed, history, table, cursor: history.cursor });
      }
    }
  }

  end(): void {
    this.tellNews();
    for (const page of this.pages.keys()) page.end();
  }

  private tellEverything(page: ServerResponse, fixed: History | undefined): void {
    const history = fixed ?? this.shown.history;
    const table = this.shown.runs?.table;
    write(page, 'everything', { ...history.everything(), ...this.stateFor(fixed), table });
    this.pages.set(page, { fixed, history, table, cursor: history.cursor });
  }

  /**
   * Returns the state of all runs for a page that follows the current run. Such a page is told of an end only when the
   * last run has ended.
   */
  private stateFor(fixed: History | undefined): Partial<Pick<TableNews, 'state'>> {
    const { runs } = this.shown;
    return runs && !fixed ? { state: runs.table.state } : {};
  }
}

function write(page: ServerResponse, name: MessageName, message: object): void {
  page.write(`event: ${name}\ndata: ${JSON.stringify(message)}\n\n`);
}
