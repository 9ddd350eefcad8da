/* api.mjs - Cloudflare's API, under the account that wrangler is logged in to.
 * Source: https://developers.cloudflare.com/api/ */
import { createRequire } from 'node:module';
import path from 'node:path';
import { Stopped } from './npm.mjs';
import { WORKER } from './root.mjs';
import { LOGIN, credentials, logIn } from './wrangler.mjs';

const API =
    process.env.CLOUDFLARE_API_BASE_URL ||
    'https://api.cloudflare.com/client/v4';
/* D1 itself gives a query 30 s. */
const REQUEST_MS_MAX = 100 * 1000;

/* What Cloudflare, or the way to it, says no with; `code` is the API's. */
export class Refused extends Stopped {
    constructor(step, { status, errors }) {
        const words = errors.map(({ code, message }) =>
            code ? `${message} [code: ${code}]` : message,
        );
        const denied = status === 401 || status === 403;
        const told = [`${step} failed:`, ...words, ...(denied ? [LOGIN] : [])];
        super(told.join('\n'));
        this.code = errors[0]?.code;
    }
}

/* Adds what else to do to what went wrong. */
export function advise(advice) {
    return (error) => {
        if (error instanceof Stopped) error.message += `\n${advice}`;
        throw error;
    };
}

/* Node's own fetch knows of no proxy; as wrangler does it. */
function findFetch() {
    const { env } = process;
    const named = ['https_proxy', 'http_proxy'].some(
        (name) => env[name] || env[name.toUpperCase()],
    );
    if (!named) return fetch;
    const require = createRequire(path.join(WORKER, 'package.json'));
    const undici = require('undici');
    const noProxy = env.no_proxy || env.NO_PROXY || 'localhost,127.0.0.1,::1';
    const dispatcher = new undici.EnvHttpProxyAgent({ noProxy });
    return (url, how) => undici.fetch(url, { ...how, dispatcher });
}

let fetchThere;

/* { success, result }, or { status, errors }; a status of 0: no answer came. */
async function send(url, how) {
    try {
        const signal = AbortSignal.timeout(REQUEST_MS_MAX);
        fetchThere ??= findFetch();
        const response = await fetchThere(url, { ...how, signal });
        const { status } = response;
        const { success, result, errors } = await response
            .json()
            .catch(() => ({}));
        if (success) return { success, result };
        const message = `Cloudflare answers with HTTP ${status}`;
        return { status, errors: errors?.length ? errors : [{ message }] };
    } catch (error) {
        const why = error.cause?.message || error.message;
        return { status: 0, errors: [{ message: `${API}: ${why}` }] };
    }
}

/* What an answer's `result` is; `step` is what fails where it is none. */
async function ask(headers, step, method, at, body) {
    const answer = await send(`${API}${at}`, {
        method,
        headers: { ...headers, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.success) throw new Refused(step, answer);
    return answer.result;
}

/* `name` is undefined where the login may not read it. */
export class Account {
    constructor(headers, { id, name }) {
        Object.assign(this, { headers, id, name });
    }

    /* `at` is what stands behind the account's own path. */
    ask(step, method, at, body) {
        const whole = `/accounts/${this.id}${at}`;
        return ask(this.headers, step, method, whole, body);
    }
}

async function choose(headers) {
    const id = process.env.CLOUDFLARE_ACCOUNT_ID;
    const listing = ask(headers, 'Listing accounts', 'GET', '/accounts');
    const accounts = await listing.catch((error) => {
        if (id) return [];
        throw error;
    });
    if (id) return accounts.find((account) => account.id === id) ?? { id };
    if (accounts.length === 1) return accounts[0];
    const list = accounts.map((one) => `  ${one.id}  ${one.name}`);
    throw new Stopped(
        list.length
            ? 'This login has several accounts. Set CLOUDFLARE_ACCOUNT_ID to ' +
                  `one of:\n${list.join('\n')}`
            : 'This login shows no account. Set CLOUDFLARE_ACCOUNT_ID to the ' +
                  "one that stands in the dashboard's address.",
    );
}

/* Who is there to see the browser that wrangler opens? */
const canAsk = () =>
    process.stdin.isTTY && process.stdout.isTTY && !process.env.CI;

export async function openAccount() {
    let headers = await credentials();
    if (!headers && canAsk() && (await logIn())) headers = await credentials();
    if (!headers)
        throw new Stopped(`You are not logged in to Cloudflare.\n${LOGIN}`);
    return new Account(headers, await choose(headers));
}
