// Owns how text that somebody else chose is shown: on one line, and without what would move a terminal's cursor.

const MOST_CHARACTERS = 200;

/** Control and invisible characters, and those that end a line. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Every control or invisible character becomes a '?'. */
export const visible = (text: string): string => text.replace(HIDDEN, '?');

/** The same, and short. */
export const printable = (text: string): string => visible(text.slice(0, MOST_CHARACTERS));

/** JSON that says the same without such characters, but for its own line ends: JSON.stringify leaves some of them in texts as they are. */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN, (found) => {
    if (found === '\n') return found;
    return Array.from(
      { length: found.length },
      (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}
