// Tests the proof of the token over real sockets: replayed, relayed by an attacker in the middle, or made from the text
// of docs/protocol.md.
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PROTOCOL_VERSION } from '../../src/protocol/codec.js';
import { Impostor, Relay } from '../intruders.js';
import {
  Arrivals,
  closedAfterEach,
  joinServer,
  newCertificate,
  openServer,
  portOf,
  refusal,
  TcpProxy,
  TOKEN,
} from '../sockets.js';

const identity = await newCertificate();
const closing = closedAfterEach();

describe('a proof', () => {
  it('is worth nothing in another connection', async () => {
    const server = closing(await openServer());
    const proxy = closing(await TcpProxy.to(server));
    const recorded: Buffer[] = [];
    proxy.change = (chunk, to) => {
      if (to === 'coordinator') recorded.push(chunk);
      return chunk;
    };
    closing(await joinServer(proxy)); // This proof succeeded.
    const replay = connectTcp(portOf(server), '127.0.0.1');
    const answers: Buffer[] = [];
    replay.on('data', (chunk) => answers.push(chunk));
    for (const chunk of recorded) {
      replay.write(chunk);
      await sleep(20);
    }
    await once(replay, 'close');
    expect(Buffer.concat(answers).toString('latin1')).toContain('E_TOKEN');
    expect(server.refused).toEqual(new Map([['E_TOKEN', 1]]));
  });

  it('does not pass through someone who ends TLS in between', async () => {
    const server = closing(await openServer({ tls: identity }));
    const relay = closing(await Relay.to(server, await newCertificate()));
    await expect(joinServer(relay)).rejects.toEqual(refusal('E_TOKEN'));
    expect(relay.relayed).toBeGreaterThan(0);
  });

  it('is not even begun where the certificate is not the pinned one', async () => {
    const server = closing(await openServer({ tls: identity }));
    const other = await newCertificate();
    const relay = closing(await Relay.to(server, other));
    const joining = joinServer(relay, { fingerprint: identity.fingerprint, patience: 60_000 });
    await expect(joining).rejects.toEqual(refusal('E_FINGERPRINT'));
    expect(relay.relayed).toBe(0);
    const colons = other.fingerprint.toUpperCase().match(/../g)!.join(':');
    await expect(joinServer(server, { fingerprint: colons })).rejects.toEqual(refusal('E_FINGERPRINT'));
    const own = identity.fingerprint.toUpperCase().match(/../g)!.join(':');
    closing(await joinServer(server, { fingerprint: `sha256:${own}` }));
  });

  it('is the HMAC that docs/protocol.md says', async () => {
    const page = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
    expect(page).toContain(`HMAC-SHA256(token, "pseudolabel ${PROTOCOL_VERSION} " role`);
    const server = closing(await openServer());
    const impostor = closing(await Impostor.at(server));
    const nonce = randomBytes(32);
    impostor.say({ kind: 'open', version: PROTOCOL_VERSION, nonce });
    const [challenge] = await impostor.hears(1);
    const theirs = challenge!.subarray(challenge!.indexOf('nonce') + 7).subarray(0, 32);
    const proof = createHmac('sha256', TOKEN)
      .update(`pseudolabel ${PROTOCOL_VERSION} worker\0`)
      .update(nonce)
      .update(theirs)
      .digest();
    impostor.say({ kind: 'answer', proof });
    expect((await new Arrivals(server).next()).peer).toMatch(/^127\.0\.0\.1:/);
  });
});
