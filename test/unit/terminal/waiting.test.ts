// What is said where a command has nothing else to say, with a clock that stands still until it is moved.
import { describe, expect, it } from 'vitest';
import { stillLine, Waiting } from '../../../coordinator/terminal/waiting.js';

function waitingIn(form: 'text' | 'json') {
  const said: string[] = [];
  let now = 0;
  const voice = { form: () => form, say: (what: string, seconds: number) => said.push(`${seconds} ${what}`) };
  const waiting = new Waiting(voice, () => now);
  /** Looks ten times a second, as its timer does. */
  const pass = (milliseconds: number): void => {
    for (const end = now + milliseconds; now < end; ) {
      now += 100;
      waiting.look();
    }
  };
  return { waiting, said, pass };
}

describe('waiting', () => {
  it('is never silent for five seconds, and says for how long it has lasted', () => {
    const { waiting, said, pass } = waitingIn('text');
    waiting.begins('reading images');
    pass(4400);
    expect(said).toEqual([]);
    pass(5000);
    expect(said).toEqual(['4.5 reading images', '9 reading images']);
    waiting.begins(undefined);
    pass(60_000);
    expect(said).toHaveLength(2);
    expect(stillLine('reading images', 9)).toBe('  still reading images, for 9.0 s');
  });

  it('says nothing while something else is said, and counts from where that ended', () => {
    const { waiting, said, pass } = waitingIn('text');
    waiting.begins('training');
    for (let line = 0; line < 10; line++) {
      pass(3000);
      waiting.spoke();
    }
    expect(said).toEqual([]);
    pass(4500);
    expect(said).toEqual(['34.5 training']);
    waiting.begins(undefined);
  });

  it('is said every second to a program that reads the log', () => {
    const { waiting, said, pass } = waitingIn('json');
    waiting.begins('starting workers');
    pass(3000);
    expect(said).toHaveLength(3);
    waiting.begins(undefined);
  });
});
