// Compares the spelling of two names, for errors that suggest the name that was meant.

/** Returns the number of letters that have to be inserted, deleted or replaced (Levenshtein). */
export function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(from[i - 1] !== to[j - 1])));
    row = next;
  }
  return row[to.length]!;
}
