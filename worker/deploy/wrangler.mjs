/* wrangler.mjs - Cloudflare's command line, run to its end: who is logged in,
 * and the upload. All else is api.mjs, since each run of it takes seconds. */
import path from 'node:path';
import { Stopped, npmInstall, run } from './npm.mjs';
import { WORKER } from './root.mjs';

const WRANGLER = path.join(WORKER, 'node_modules/wrangler/bin/wrangler.js');

export const LOGIN =
    'Log in with "npx wrangler login" in worker/ (it opens a browser), or set ' +
    'CLOUDFLARE_API_TOKEN to a token made from the template "Edit Cloudflare ' +
    'Workers" with D1 edit added:\n' +
    '  https://dash.cloudflare.com/profile/api-tokens';

/* The packages of worker/package-lock.json, where they are missing. */
export const install = (say) => npmInstall(WORKER, 'wrangler', say);

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

/* Opens the browser, and waits for the person there. */
export async function logIn() {
    const { code } = await run(process.execPath, [WRANGLER, 'login'], {
        cwd: WORKER,
        stdio: 'inherit',
    });
    return code === 0;
}

/* The headers that say who is asking; null: nobody is logged in. wrangler
 * keeps the token of a login, and renews it. */
export async function credentials() {
    const { CLOUDFLARE_API_TOKEN: given, CLOUDFLARE_API_KEY } = process.env;
    if (given && !CLOUDFLARE_API_KEY)
        return { authorization: `Bearer ${given}` };
    const result = await wrangler(['auth', 'token', '--json']);
    if (/not logged in/i.test(complaint(result))) return null;
    const told = result.code === 0 && json(result);
    if (!told)
        throw new Stopped(
            `Asking wrangler who is logged in failed:\n${complaint(result)}\n` +
                LOGIN,
        );
    const { key, email, token } = told;
    return key
        ? { 'x-auth-key': key, 'x-auth-email': email }
        : { authorization: `Bearer ${token}` };
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
