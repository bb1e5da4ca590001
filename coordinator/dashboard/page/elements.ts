// Makes the elements of the page. Everything goes in as text, never as markup.
export const byId = (id: string): HTMLElement => document.getElementById(id)!;

export function element(name: string, text = '', parts: readonly Node[] = []): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...parts);
  return made;
}

/** colours: roles of those columns that a bar has pieces of. */
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

function key(role: string): HTMLElement {
  const made = element('i');
  made.className = 'key';
  made.style.background = `var(--${role})`;
  return made;
}
