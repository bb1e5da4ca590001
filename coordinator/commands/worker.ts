// `pseudolabel worker`: joins a run on another machine as a node.
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { counted } from '../../src/format.js';
import { type JoinEvent, joinBy } from '../library/cluster.js';
import type { Transport } from '../server/transport.js';
import { addConnectionOptions, type ConnectionFlags, type Context, number, usage } from './options.js';

interface WorkerFlags extends ConnectionFlags {
  readonly workers?: number;
  readonly name?: string;
  readonly patience: number;
}

const HELP = `
The coordinator prints the whole line when it starts (pseudolabel train --listen). A node needs no data of its own.
When the connection is lost, it joins again. Ctrl-C or SIGTERM lets it finish what it is doing, and it exits with 0; a second
one stops at once.

Example:
  $ pseudolabel worker 192.168.1.10:7171 --token-file token --fingerprint 5f2a...`;

export function addWorker(program: Command, context: Context, transport: Transport): void {
  addConnectionOptions(program.command('worker').description('join a training run on another machine'))
    .option('--workers <n>', 'threads (one a core)', number)
    .option('--name <name>', 'what the coordinator calls this node (the name of the machine)')
    .option('--patience <s>', 'seconds to go on trying to connect (300)', number, 300)
    .addHelpText('after', HELP)
    .action((address: string, flags: WorkerFlags) => work(address, flags, context, transport));
}

async function work(address: string, flags: WorkerFlags, { terminal, signal }: Context, transport: Transport) {
  const { tokenFile, fingerprint, insecure, name, patience, workers = availableParallelism() } = flags;
  if (!Number.isInteger(workers) || workers < 1)
    throw usage(`--workers ${workers}`, 'give a number of threads, from 1');
  if (!(patience >= 0)) throw usage(`--patience ${patience}`, 'give seconds, from 0');
  const tell = (event: JoinEvent): void => {
    if (event.kind === 'joined') {
      terminal.doing(undefined);
      terminal.note(`joined ${event.coordinator} with ${counted(workers, 'worker')}`);
    } else if (event.kind === 'lost') {
      terminal.note(`${event.reason.message}; joining again`);
      terminal.doing(`connecting to ${address} again`);
    } else terminal.note(`${event.reason.message}; trying again in ${Math.ceil(event.secondsLeft)} s`);
  };
  terminal.doing(`connecting to ${address}`);
  const options = { tokenFile, fingerprint, insecure, workers, name, patience, signal };
  const ended = await joinBy(transport, address, options, tell);
  terminal.note(ended === 'finished' ? 'the run is over' : 'left the run, which goes on without this node');
}
