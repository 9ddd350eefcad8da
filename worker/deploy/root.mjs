/* root.mjs - where the project lies. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const WORKER = path.join(ROOT, 'worker');
