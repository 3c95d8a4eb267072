import { register } from 'node:module';

/**
 * For `node --import`: threads that tests start run the TypeScript sources, as the tests do. (Vitest
 * compiles what it imports itself, and nothing that a thread of ours imports.)
 */
register('./typescript-hooks.mjs', import.meta.url);
