// Owns the process of a contestant's node: one that joins a run as `pseudolabel worker` does, and can say what it did when.
import { numericsFingerprint } from '../../src/models/dense/fingerprint.js';
import { TO_COORDINATOR, TO_NODE, type ToCoordinator, type ToNode } from '../../src/protocol/cluster-messages.js';
import { connect } from '../../worker/connect.js';
import { joinRun } from '../../worker/node-host.js';
import { createThreadExecutor } from '../../worker/thread-executor.js';
import { readToken } from '../server/secrets.js';
import { printLine } from '../terminal/terminal.js';
import { ActivityRecord, TracedChannel, traced } from './activity-record.js';
import { answering } from './child-process.js';
import type { NodeAnswer, NodeQuestion } from './messages.js';

const workers = Number(process.argv[2]);
const record = new ActivityRecord();

answering(async (question: NodeQuestion): Promise<NodeAnswer> => {
  switch (question.kind) {
    case 'join':
      await join(question);
      return { kind: 'joined' };
    case 'begin':
      record.clear();
      return { kind: 'begun' };
    case 'account':
      return { kind: 'accounted', account: record.account(workers, question.began, question.ended) };
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
  const create: typeof createThreadExecutor = async (of) => traced(await createThreadExecutor(of), record);
  joinRun(() => Promise.resolve(new TracedChannel(channel, record)), options, host, create).catch(unexpected);
}
