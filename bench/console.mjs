/*
 * console.mjs - how quick the console is when it is full: Chromium on the real
 * binary, 100,000 keys, 1,000,000 requests in the log.
 *
 * Run by ./dev bench console; --help tells the options.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { AUTH } from '../tests/integration/harness.mjs';
import { Visit, startBrowser } from '../tests/browser/browser.mjs';
import { PROVIDERS, ROOT, fullHouse, secret } from './fullhouse.mjs';

/* What the console promises, in milliseconds. */
const QUICK_MS = 300;
const PASTE_MS = 3000;
const PASTED = 10000;

const LIST = '/console/keys/provider-1';
const LOG = '/console/requests';

/* Pages, with what is there once their data is. */
const pages = {
    overview: ['/', '.pools a', '.changes li', '.tile dd small:not(:empty)'],
    'all keys': ['/console/keys', 'tbody .link'],
    'keys of a provider': [LIST, 'tbody .link'],
    'a key': [`${LIST}?key=2`, 'dialog .facts', 'dialog .change, dialog td'],
    requests: [LOG, 'tbody tr'],
    'a request': [`${LOG}?id=1000`, 'dialog .facts'],
    'auth keys': ['/console/auth-keys', 'tbody tr'],
    models: ['/console/models', 'tbody tr'],
    settings: ['/console/settings', 'dl.facts'],
    playground: ['/console/playground', 'main textarea'],
    connect: ['/console/connect', 'main pre'],
};

/* Filters: the page, the answer that is waited for, what a person does. */
const pick = (label, value) => (page) =>
    page.getByLabel(label, { exact: true }).selectOption(value);
const type = (label, text) => async (page) => {
    const field = page.getByLabel(label, { exact: true });
    await field.fill(text);
    await field.press('Enter');
};
const press = (name) => (page) =>
    page.locator('main').getByRole('button', { name }).first().click();
const keysIn = (query, act) => [`${LIST}${query}`, '/api/keys?', act];
const logIn = (query, act) => [`${LOG}${query}`, '/api/requests?', act];

const filters = {
    'keys: blocked': keysIn('', press(/^Blocked/)),
    'keys: cooling': keysIn('', press(/^Cooling/)),
    'keys: active': keysIn('', press(/^Active/)),
    'keys: by last use': keysIn('', press('Last used')),
    'keys: by rest': keysIn('', press('Rested')),
    'keys: by age': keysIn('', press('Added')),
    'keys: a remark': keysIn('', (page) =>
        page.getByRole('searchbox').fill('account-976')),
    'keys: a whole key': keysIn('', (page) =>
        page.getByRole('searchbox').fill(secret(601))),
    'keys: nothing found': keysIn('', (page) =>
        page.getByRole('searchbox').fill('no such remark')),
    'keys: the last page': keysIn('', async (page) => {
        await page.getByLabel('Page', { exact: true }).fill('9999');
        await page.getByLabel('Page', { exact: true }).press('Enter');
    }),
    'keys: 1000 a page': keysIn('', pick('Keys a page', '1000')),
    'keys: another provider': keysIn('', pick('Provider', 'provider-4')),
    'keys: all providers': keysIn('', pick('Provider', '')),
    'log: provider': logIn('', pick('Provider', 'provider-3')),
    'log: model': logIn('', type('Model', 'model-7')),
    'log: status 4xx': logIn('', pick('Status', '4xx')),
    'log: verdict': logIn('', pick('Verdict', 'cool')),
    'log: error': logIn('', pick('Error', 'minute_quota')),
    'log: auth key': logIn('', type('Auth key', 'key-4')),
    'log: key': logIn('', type('Key no.', '77')),
    'log: last hour': logIn('', pick('Time', '1h')),
    'log: a word': logIn('', type('Request id or metadata', 'u77')),
    'log: nothing found': logIn('', type('Model', 'no-such-model')),
    'log: 2xx with an error': logIn('?status=2xx', pick('Error', 'minute_quota')),
    'log: three that never meet': logIn(
        '?provider=provider-3&model=model-7&auth_key=key-4',
        pick('Verdict', 'block'),
    ),
    'log: older': logIn('', press(/older/i)),
    'overview: last hour': ['/', '/api/stats?', press('1 hour')],
    'overview: week': ['/', '/api/stats?', press('7 days')],
    'overview: month': ['/', '/api/stats?', press('30 days')],
    'overview: provider': ['/', '/api/stats?', pick('Provider', 'provider-2')],
    'overview: by model': ['/', '/api/stats?', press('Model')],
    'overview: by key': ['/', '/api/stats?', press('Provider key')],
    'overview: by auth key': ['/', '/api/stats?', press('Auth key')],
};

const usage = `usage: ./dev bench console [OPTION...]

  --keys N      100000 by default
  --requests N  in the log, 1000000 by default; filling it takes minutes, so
                it is kept for some hours
  --rounds N    of each measure, 3 by default; the median and the worst count
  --shots DIR   a screenshot of every page, desktop and phone, light and dark
  --serve       keep the full gateway running for a look instead
  --url URL     measure one that --serve has begun
  --build DIR   where one-balance and logfill are, build by default`;

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const tell = (ms, max = QUICK_MS) =>
    `${Math.round(ms)}${ms > max ? ' !' : ''}`;

function print(head, rows) {
    const line = (cells) => console.log(`| ${cells.join(' | ')} |`);
    line(head);
    line(head.map(() => '---'));
    for (const row of rows) line(row);
    console.log();
}

/* In the page, a frame at a time: when all of it was there. */
function whenThere(page, selectors) {
    return page.waitForFunction(
        (all) =>
            all.every((one) => document.querySelector(one)) &&
            performance.now(),
        selectors,
        { polling: 'raf', timeout: 20000 },
    ).then((found) => found.jsonValue());
}

async function openPage(visit, [path, ...there]) {
    const { page } = visit;
    await page.goto(visit.url + path, { waitUntil: 'commit' });
    const data = await whenThere(page, there).catch((error) => {
        throw new Error(`${path}: ${there.join(' and ')} did not come`, {
            cause: error,
        });
    });
    const first = await page.evaluate(
        () =>
            performance
                .getEntriesByType('paint')
                .find(({ name }) => name === 'first-contentful-paint').startTime,
    );
    await visit.settle();
    return { first, data, shift: await visit.layoutShift() };
}

async function measurePages(visit, rounds) {
    const rows = [];
    for (const [name, of] of Object.entries(pages)) {
        const seen = [];
        for (let n = 0; n < rounds; n++) seen.push(await openPage(visit, of));
        const of_ = (what) => seen.map((one) => one[what]);
        rows.push([
            name,
            tell(median(of_('first'))),
            tell(Math.max(...of_('first'))),
            tell(median(of_('data'))),
            tell(Math.max(...of_('data'))),
            Math.max(...of_('shift')).toFixed(4),
        ]);
    }
    print(
        ['page', 'first content, ms', 'worst', 'data, ms', 'worst', 'shift'],
        rows,
    );
}

/* From the person's act to the frame that shows the answer, and how much of it
 * the gateway took. */
async function actOn(visit, [path, asked, act]) {
    const { page } = visit;
    await visit.go(path);
    await page.evaluate(() => {
        window.began = null;
        const begin = () => (window.began ??= performance.now());
        for (const name of ['change', 'input', 'click', 'submit'])
            document.addEventListener(name, begin, { capture: true });
    });
    const answered = page.waitForResponse(
        (response) => response.url().includes(asked),
        { timeout: 20000 },
    );
    await act(page);
    const response = await answered;
    /* One that the page gave up in favour of the next never ends. */
    await Promise.race([response.finished(), sleep(5000)]);
    const whole = await page.waitForFunction(
        () =>
            !document.querySelector('main [aria-busy=true]') &&
            performance.now() - window.began,
        undefined,
        { polling: 'raf' },
    );
    const { responseEnd, requestStart } = response.request().timing();
    return {
        whole: await whole.jsonValue(),
        gateway: responseEnd - requestStart,
        status: response.status(),
    };
}

async function measureFilters(visit, rounds) {
    const rows = [];
    for (const [name, filter] of Object.entries(filters)) {
        const seen = [];
        for (let n = 0; n < rounds; n++) seen.push(await actOn(visit, filter));
        const of_ = (what) => seen.map((one) => one[what]);
        rows.push([
            name,
            tell(median(of_('whole'))),
            tell(Math.max(...of_('whole'))),
            tell(median(of_('gateway'))),
            [...new Set(of_('status'))].join(' '),
        ]);
    }
    print(['filter', 'shown, ms', 'worst', 'gateway, ms', 'status'], rows);
}

async function measurePaste(visit) {
    const { page } = visit;
    const text = Array.from({ length: PASTED }, (_, n) =>
        secret(5000000 + n),
    ).join('\n');
    await visit.go('/console/keys/provider-5?add=1');
    await visit.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.evaluate((keys) => navigator.clipboard.writeText(keys), text);
    await page.getByRole('textbox', { name: 'Keys' }).focus();
    const pasted = performance.now();
    await page.keyboard.press('Control+V');
    const button = page.getByRole('button', { name: 'Add 10,000 keys' });
    await button.waitFor();
    const looked = performance.now() - pasted;
    await page.evaluate(() => {
        window.steps = new Set();
        new MutationObserver(() => {
            const bar = document.querySelector('dialog progress');
            if (bar) window.steps.add(bar.value);
        }).observe(document.body, { subtree: true, childList: true,
            attributes: true });
    });
    const began = performance.now();
    await button.click();
    await page.getByText('10,000 keys added.').waitFor({ timeout: 30000 });
    const took = performance.now() - began;
    const steps = await page.evaluate(() => window.steps.size);
    print(
        ['10,000 keys by paste', 'ms'],
        [
            ['looked through', tell(looked, PASTE_MS)],
            ['added', tell(took, PASTE_MS)],
            ['steps of the bar', steps],
        ],
    );
}

async function takeShots(browser, gateway, dir) {
    mkdirSync(dir, { recursive: true });
    for (const size of ['desktop', 'phone'])
        for (const look of ['light', 'dark']) {
            const visit = await Visit.open(browser, gateway.url, { size, look });
            await visit.signIn(AUTH);
            for (const [name, [path]] of Object.entries(pages)) {
                await visit.go(path);
                await visit.page.screenshot({
                    path: join(
                        dir,
                        `${name.replaceAll(' ', '-')}-${size}-${look}.png`,
                    ),
                    fullPage: true,
                });
            }
            await visit.close();
        }
}

async function measure(gateway, { rounds, shots }) {
    const browser = await startBrowser();
    try {
        const visit = await Visit.open(browser, gateway.url);
        await visit.signIn(AUTH);
        await measurePages(visit, rounds);
        await measureFilters(visit, rounds);
        await measurePaste(visit);
        console.log(
            visit.problems.length
                ? `in the browser's console:\n${visit.problems.join('\n')}`
                : "nothing in the browser's console",
        );
        await visit.close();
        if (shots) await takeShots(browser, gateway, shots);
    } finally {
        await browser.close();
    }
}

const { values } = parseArgs({
    options: {
        keys: { type: 'string', default: '100000' },
        requests: { type: 'string', default: '1000000' },
        rounds: { type: 'string', default: '3' },
        build: { type: 'string', default: resolve(ROOT, 'build') },
        shots: { type: 'string' },
        serve: { type: 'boolean', default: false },
        url: { type: 'string' },
        help: { type: 'boolean', default: false },
    },
});
if (values.help) {
    console.log(usage);
    process.exit(0);
}
const { room, gateway } = values.url
    ? { gateway: { url: values.url } }
    : await fullHouse({
          keys: Number(values.keys),
          requests: Number(values.requests),
          build: values.build,
      });
try {
    if (values.serve) {
        console.log(`${gateway.url}/ (sign in with "${AUTH}"), until Ctrl-C`);
        await new Promise(() => setInterval(() => {}, 1 << 30));
    }
    await measure(gateway, {
        rounds: Number(values.rounds),
        shots: values.shots,
    });
} finally {
    await room?.leave();
}
