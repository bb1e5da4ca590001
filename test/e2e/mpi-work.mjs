// Runs as a rank of a job: does the work of the contract of collectives over MPI and prints what it found.

import { openMpi } from '../../dist/src/collectives/mpi.js';
import { work } from '../contract/collective-work.mjs';

const collective = await openMpi(process.env, new AbortController().signal);
console.log(JSON.stringify(await work(collective)));
collective.close();
