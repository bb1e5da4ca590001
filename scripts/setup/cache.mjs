// Where set-up keeps what takes long to make.

import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's cache, shared by every checkout and installation. */
export const cacheRoot = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pseudolabel');
