/** As environment.mjs says. */
export function ignored(env: NodeJS.ProcessEnv): string[];
export function completed(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function isComplete(env: NodeJS.ProcessEnv): boolean;
