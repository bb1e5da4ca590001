// Tests that the collective in one process, which other tests use, fulfils the contract of collectives.
import { describeCollective } from './collective.contract.js';
import { work } from './collective-work.mjs';
import { memoryRanks } from './memory-collective.js';

describeCollective('ranks in memory', (size) => Promise.all(memoryRanks(size).map(work)));
