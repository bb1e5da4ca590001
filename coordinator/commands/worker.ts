// `pseudolabel worker`: joins a run on another machine as a node.
import { availableParallelism, hostname } from 'node:os';
import type { Command } from 'commander';
import type { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import { joinRun } from '../../worker/node-host.js';
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
  const { tokenFile, fingerprint, insecure = false, name = hostname() || 'node' } = flags;
  const workers = flags.workers ?? availableParallelism();
  if (!Number.isInteger(workers) || workers < 1)
    throw usage(`--workers ${workers}`, 'give a number of threads, from 1');
  if (!(flags.patience >= 0)) throw usage(`--patience ${flags.patience}`, 'give seconds, from 0');
  const onRetry = (failure: PseudolabelError, delay: number) =>
    terminal.note(`${failure.message}; trying again in ${Math.ceil(delay / 1000)} s`);
  const options = { address, tokenFile, fingerprint, insecure, patience: flags.patience * 1000, signal, onRetry };
  terminal.doing(`connecting to ${address}`);
  const ended = await joinRun(
    () => transport.connect(options),
    { name, workers, signal },
    {
      joined: (coordinator) => {
        terminal.doing(undefined);
        terminal.note(`joined ${coordinator} with ${counted(workers, 'worker')}`);
      },
      lost: ({ message }) => {
        terminal.note(`${message}; joining again`);
        terminal.doing(`connecting to ${address} again`);
      },
    },
  );
  terminal.note(ended === 'finished' ? 'the run is over' : 'left the run, which goes on without this node');
}
