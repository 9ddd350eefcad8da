/* npm.mjs - packages of a lock file, where they are missing. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/* What stops a deployment: which step, and what to do. */
export class Stopped extends Error {}

/* Runs a command to its end: { code, stdout, stderr }. */
export function run(command, args, options = {}) {
    return new Promise((done, fail) => {
        const child = spawn(command, args, {
            stdio: ['ignore', 'pipe', 'pipe'],
            ...options,
        });
        const result = { code: null, stdout: '', stderr: '' };
        child.stdout?.on('data', (text) => (result.stdout += text));
        child.stderr?.on('data', (text) => (result.stderr += text));
        child.on('error', fail);
        child.on('close', (code) => done({ ...result, code }));
    });
}

/* Installs what `folder` has locked, unless `wanted` is there already. */
export async function npmInstall(folder, wanted, say) {
    const at = path.join(folder, 'node_modules', wanted, 'package.json');
    if (existsSync(at)) return;
    say(`Installing ${wanted} with npm …`);
    /* npm is a script on Windows, which only a shell runs. */
    const windows = process.platform === 'win32';
    const result = await run(windows ? 'npm.cmd' : 'npm', ['ci'], {
        cwd: folder,
        shell: windows,
    }).catch((error) => ({ code: -1, stderr: error.message }));
    if (result.code !== 0)
        throw new Stopped(
            `"npm ci" in ${folder} failed:\n${result.stderr.trim()}\n` +
                'Look whether this machine reaches the npm registry.',
        );
}
