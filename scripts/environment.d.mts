/** As environment.mjs says. */
export function ignored(env: NodeJS.ProcessEnv): string[];
export function completed(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
export function isComplete(env: NodeJS.ProcessEnv): boolean;
export function pin(env: NodeJS.ProcessEnv): void;
export function isPinned(env: NodeJS.ProcessEnv): boolean;
