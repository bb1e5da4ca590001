// Owns the process of a contestant's node: one that joins a run as `pseudolabel worker` does, and can say what it did when.
import { numericsFingerprint } from '../../src/engine/fingerprint.js';
import { TO_COORDINATOR, TO_NODE, type ToCoordinator, type ToNode } from '../../src/protocol/messages.js';
import { connect } from '../../worker/connect.js';
import { joinRun } from '../../worker/join.js';
import { createLocalNode } from '../../worker/node.js';
import { readToken } from '../door/secrets.js';
import { printLine } from '../terminal/terminal.js';
import { Journal, WatchedChannel, watched } from './journal.js';
import type { NodeAnswer, NodeQuestion } from './messages.js';
import { answering } from './program.js';

const workers = Number(process.argv[2]);
const journal = new Journal();

answering(async (question: NodeQuestion): Promise<NodeAnswer> => {
  switch (question.kind) {
    case 'join':
      await join(question);
      return { kind: 'joined' };
    case 'begin':
      journal.clear();
      return { kind: 'begun' };
    case 'account':
      return { kind: 'accounted', account: journal.account(workers, question.began, question.ended) };
  }
});

/** Resolves when it is connected. What ends it later ends the process: the contestant then says that it is lost. */
async function join({ address, tokenFile, fingerprint }: Extract<NodeQuestion, { kind: 'join' }>): Promise<void> {
  const tables = { outgoing: TO_COORDINATOR, incoming: TO_NODE };
  const token = await readToken(tokenFile);
  const channel = await connect<ToCoordinator, ToNode>({ address, fingerprint, token, tables });
  const { signal } = new AbortController();
  const options = { name: 'node', workers, fingerprints: { f32: numericsFingerprint('f32') }, signal };
  const unexpected = (error: unknown) => {
    printLine(process.stderr, String(error));
    process.exit(1);
  };
  const host = { joined: () => undefined, lost: unexpected };
  const create: typeof createLocalNode = async (of) => watched(await createLocalNode(of), journal);
  joinRun(() => Promise.resolve(new WatchedChannel(channel, journal)), options, host, create).catch(unexpected);
}
