// Makes the elements of the page. All content is set as text, never as markup.
export const byId = (id: string): HTMLElement => document.getElementById(id)!;

export function element(name: string, text = '', parts: readonly Node[] = []): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...parts);
  return made;
}

/** Makes a table. colours: the roles of those columns that are drawn in a bar. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly HTMLElement[],
  colours: Readonly<Record<string, string>> = {},
): HTMLElement {
  const headings = columns.map((column) => {
    const heading = element('th', column);
    heading.setAttribute('scope', 'col');
    const colour = colours[column];
    if (colour !== undefined) heading.prepend(key(colour));
    return heading;
  });
  return element('table', '', [
    element('caption', caption),
    element('thead', '', [element('tr', '', headings)]),
    element('tbody', '', rows),
  ]);
}

export function row(name: string, cells: readonly HTMLElement[]): HTMLElement {
  const heading = element('th', name);
  heading.setAttribute('scope', 'row');
  return element('tr', '', [heading, ...cells]);
}

/** Makes a square of a colour. */
export function key(role: string): HTMLElement {
  const made = element('i');
  made.className = 'key';
  made.style.background = `var(--${role})`;
  return made;
}

/** The one word for doing nothing, for workers and nodes. */
export const WAITING = 'waiting';

const PART_COLOURS = ['series1', 'series2', 'series3', 'series4', 'series5', 'series6'];

/** Gives each activity a colour. */
export const coloursOf = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name, n) => [name, PART_COLOURS[n % PART_COLOURS.length]!]));

/** Lets the keyboard scroll an element that is larger than its place. */
export function makeReachable(scrolling: HTMLElement): void {
  const heading = scrolling.closest('section')?.querySelector('h2')?.id;
  scrolling.tabIndex = 0;
  if (scrolling.tagName === 'DIV') scrolling.setAttribute('role', 'region');
  if (heading) scrolling.setAttribute('aria-labelledby', heading);
}
