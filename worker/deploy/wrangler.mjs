/* wrangler.mjs - Cloudflare's command line, run to its end. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const WORKER = fileURLToPath(new URL('..', import.meta.url));
const WRANGLER = path.join(WORKER, 'node_modules/wrangler/bin/wrangler.js');

/* What stops a deployment: which step, and what to do. */
export class Stopped extends Error {}

function run(command, args, options = {}) {
    return new Promise((done, fail) => {
        const child = spawn(command, args, {
            stdio: ['ignore', 'pipe', 'pipe'],
            ...options,
        });
        const result = { code: null, stdout: '', stderr: '' };
        child.stdout.on('data', (text) => (result.stdout += text));
        child.stderr.on('data', (text) => (result.stderr += text));
        child.on('error', fail);
        child.on('close', (code) => done({ ...result, code }));
    });
}

/* The packages of worker/package-lock.json, where they are missing. */
export async function install(say) {
    if (existsSync(WRANGLER)) return;
    say('Installing wrangler with npm …');
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const { code, stderr } = await run(npm, ['ci'], {
        cwd: WORKER,
        shell: process.platform === 'win32',
    });
    if (code !== 0)
        throw new Stopped(
            `"npm ci" in ${WORKER} failed:\n${stderr.trim()}\n` +
                'Look whether this machine reaches the npm registry.',
        );
}

export function wrangler(args, env = {}) {
    return run(process.execPath, [WRANGLER, ...args], {
        cwd: WORKER,
        env: {
            ...process.env,
            /* It asks nothing where nobody can answer. */
            CI: '1',
            FORCE_COLOR: '0',
            WRANGLER_SEND_METRICS: 'false',
            WRANGLER_HIDE_BANNER: 'true',
            ...env,
        },
    });
}

/* What wrangler says went wrong, without what stands around it. */
export function complaint({ stdout, stderr }) {
    const text = `${stderr}\n${stdout}`.replaceAll(/\x1b\[[0-9;]*m/g, '');
    const lines = text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line && !/^(🪵|⛅|─|If you think)/u.test(line));
    const at = lines.findIndex((line) => /ERROR\]|"error"/.test(line));
    return at < 0
        ? lines.slice(-12).join('\n')
        : lines.slice(at, at + 6).join('\n');
}

/* Its output as JSON; it may say other things before. */
export function json({ stdout }) {
    const at = stdout.search(/[[{]/);
    return at < 0 ? undefined : JSON.parse(stdout.slice(at));
}
