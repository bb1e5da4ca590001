// Tests what is said while a command has nothing else to say, with a clock that stands still until it is moved.
import { describe, expect, it } from 'vitest';
import { stillLine, Waiting } from '../../../coordinator/terminal/waiting.js';

function waitingIn(form: 'live' | 'lines' | 'json') {
  const said: string[] = [];
  let now = 0;
  const voice = { form: () => form, say: (what: string, seconds: number) => said.push(`${seconds} ${what}`) };
  const waiting = new Waiting(voice, () => now);
  /** Lets time pass, and looks ten times a second like the timer. */
  const pass = (milliseconds: number): void => {
    for (const end = now + milliseconds; now < end; ) {
      now += 100;
      waiting.look();
    }
  };
  return { waiting, said, pass };
}

describe('waiting', () => {
  it('is never silent for five seconds on a terminal, and says for how long it has lasted', () => {
    const { waiting, said, pass } = waitingIn('live');
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
    const { waiting, said, pass } = waitingIn('live');
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

  it('is said three times in a file of lines, and then every half minute, of each thing anew', () => {
    const { waiting, said, pass } = waitingIn('lines');
    waiting.begins('reading images');
    pass(80_000);
    expect(said.map((line) => Number.parseFloat(line))).toEqual([4.5, 9, 13.5, 43.5, 73.5]);
    waiting.begins('starting workers');
    pass(5000);
    expect(said.slice(5)).toEqual(['0.1 starting workers', '4.6 starting workers']);
    waiting.begins(undefined);
  });

  it('is not said where somebody else tells how it stands, who is asked for a line as often', () => {
    const { waiting, said, pass } = waitingIn('lines');
    waiting.begins('getting nodes ready');
    const told: number[] = [];
    for (let second = 0; second < 80; second += 4) {
      waiting.spoke();
      if (waiting.isDue()) told.push(second);
      pass(4000);
    }
    expect(told).toEqual([0, 4, 8, 40, 72]);
    expect(said).toEqual([]);
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
