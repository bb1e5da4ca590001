// Makes a fresh checkout, or an installed package, ready to run: `npm start` and `npm test` call it first. Node built-ins
// only, since it runs before anything is installed. Does nothing, quickly, when nothing is missing.

import { main, setUp } from './setup/steps.mjs';

await main(() => setUp(process.stdout));
