// Owns how text that another machine chose is shown: short, and without what would move a terminal's cursor.

const MOST_CHARACTERS = 200;

/** Every control or invisible character becomes a '?'. */
export function printable(text: string): string {
  return text.slice(0, MOST_CHARACTERS).replace(/[^\P{C}]/gu, '?');
}
