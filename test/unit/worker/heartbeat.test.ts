// Tests the heartbeat of a connection, with a clock that a test moves.
import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../../worker/websocket-transport.js';
import { ManualClock } from '../../manual-clock.js';

/** Begins a heartbeat of 100 ms, and records the times of its beats and how long it found the other side silent. */
function begun() {
  const clock = new ManualClock();
  const [beats, silences]: [number[], number[]] = [[], []];
  const heartbeat = new Heartbeat(clock, {
    beat: () => beats.push(clock.now()),
    silent: (milliseconds) => {
      silences.push(milliseconds);
      heartbeat.stop();
    },
  });
  heartbeat.start(100);
  return { clock, heartbeat, beats, silences };
}

describe('a heartbeat', () => {
  it('beats at each interval as long as it hears something', () => {
    const { clock, heartbeat, beats, silences } = begun();
    for (let n = 0; n < 4; n++) {
      clock.advance(100);
      heartbeat.heard();
    }
    expect(beats).toEqual([100, 200, 300, 400]);
    expect(silences).toEqual([]);
  });

  it('finds the other side silent at the second interval without a word, once', () => {
    const { clock, heartbeat, beats, silences } = begun();
    clock.advance(60);
    heartbeat.heard();
    // The heartbeat looks four times in an interval, and ends one look too early rather than late.
    clock.advance(189);
    expect(silences).toEqual([]);
    clock.advance(1);
    expect(silences).toEqual([200]);
    clock.advance(1000);
    expect(silences).toEqual([200]);
    expect(beats).toEqual([100, 200]);
  });

  it('does not take for silence that this process stood still', () => {
    const { clock, heartbeat, silences } = begun();
    clock.standStill(5000);
    clock.advance(170);
    expect(silences).toEqual([]);
    heartbeat.heard();
    clock.advance(170);
    expect(silences).toEqual([]);
    clock.advance(100);
    expect(silences).toEqual([200]);
  });
});
