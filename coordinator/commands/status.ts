// `pseudolabel status`: shows who computes in a run on this or another machine.
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import { counted, duration, whole } from '../../src/format.js';
import type { CoordinatorChannel } from '../../src/protocol/cluster-messages.js';
import type { ClusterStatus } from '../../src/protocol/status.js';
import type { Transport } from '../server/transport.js';
import { type Column, tableLines } from '../terminal/table.js';
import type { JsonTarget } from '../terminal/terminal.js';
import { addConnectionOptions, type ConnectionFlags, type Context } from './options.js';

interface StatusFlags extends ConnectionFlags {
  readonly json?: JsonTarget;
}

const ANSWER_MS = 10_000;

export function addStatus(program: Command, context: Context, transport: Transport): void {
  addConnectionOptions(program.command('status').description('show the nodes of a training run'))
    .option('--json <file>', 'write the status as JSON; - for stdout')
    .action((address: string, flags: StatusFlags) => show(address, flags, context, transport));
}

async function show(address: string, flags: StatusFlags, { terminal, signal }: Context, transport: Transport) {
  const { tokenFile, fingerprint, insecure = false } = flags;
  const onRetry = () => undefined;
  terminal.doing(`asking ${address}`);
  const channel = await transport.connect({ address, tokenFile, fingerprint, insecure, patience: 0, signal, onRetry });
  const status = await statusFrom(channel);
  await terminal.deliver(() => linesOf(status), status, flags.json);
}

/** Asks a coordinator for the status of its run. Throws E_TIMEOUT, or the error that ended the connection. */
export function statusFrom(channel: CoordinatorChannel): Promise<ClusterStatus> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => channel.close(silent(channel.peer)), ANSWER_MS);
    channel.listen({
      message: (message) => {
        if (message.kind === 'status') resolve(message.status);
      },
      bulk: () => undefined,
      closed: (reason) => {
        clearTimeout(timer);
        reject(reason); // This has no effect after an answer.
      },
    });
    channel.send({ kind: 'ask' }).catch(reject);
  });
}

const COLUMNS: readonly Column[] = [
  { title: 'node', align: 'left' },
  { title: 'address', align: 'left' },
  { title: 'workers', align: 'right' },
  { title: 'state', align: 'left' },
  { title: 'shards', align: 'right' },
  { title: 'rows/s', align: 'right' },
  { title: 'lost workers', align: 'right' },
];

export function linesOf({ coordinator, nodes, position, steps, shards }: ClusterStatus): string[] {
  const own = { name: 'coordinator', address: '', state: 'working' };
  const all = [...(coordinator ? [{ ...own, ...coordinator }] : []), ...nodes];
  const rows = all.map(({ name, address, workers, state, shards: held, rowsPerSecond, lostWorkers }) => {
    const speed = rowsPerSecond === null ? '-' : whole(rowsPerSecond);
    return [name, address, whole(workers), state, whole(held), speed, whole(lostWorkers)];
  });
  const summary = `${counted(steps, 'step')} since it was started, ${counted(shards, 'shard')}, ${counted(nodes.length, 'node')} besides the coordinator`;
  return [positionLine(position), summary, ...(rows.length === 0 ? [] : tableLines(COLUMNS, rows))];
}

function positionLine(position: ClusterStatus['position']): string {
  if (position === null) return 'no step yet since it was started';
  const { stage, stageNumber, stages, step, steps, secondsLeft } = position;
  const left = secondsLeft === null ? '' : `, ${duration(secondsLeft)} left in it`;
  return `stage ${stageNumber} of ${stages} (${stage}): step ${whole(step)} of ${whole(steps)}${left}`;
}

function silent(peer: string): PseudolabelError {
  return new PseudolabelError('E_TIMEOUT', `${peer} did not say how its run stands`, 'try again; it may be very busy');
}
