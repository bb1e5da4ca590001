// The collective that tests have in one process fulfils the contract of one.
import { describeCollective } from './collective.contract.js';
import { work } from './collective-work.mjs';
import { memoryRanks } from './memory-collective.js';

describeCollective('ranks in memory', (size) => Promise.all(memoryRanks(size).map(work)));
