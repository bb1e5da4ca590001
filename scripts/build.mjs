// Builds dist/ if the sources changed since the last build (`npm run build`).

import { fileURLToPath } from 'node:url';
import { buildDist, distReady } from './setup/dist.mjs';
import { main } from './setup/steps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

await main(async () => {
  if (distReady(root)) console.log('build: dist is up to date');
  else await buildDist(root);
});
