/* The console as the real binary serves it, with the API it really has. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { AUTH, scenario, secret } from '../integration/harness.mjs';
import { Visit, missing, startBrowser } from './browser.mjs';

const HOSTILE = '<img src=x onerror=alert(1)>';
let browser = null;
after(async () => browser?.close());

/* fetch() decodes by itself; this gives what came. */
function ask(url, headers = {}, method = 'GET') {
    return new Promise((done, failed) => {
        http.request(url, { method, headers }, (response) => {
            const parts = [];
            response.on('data', (part) => parts.push(part));
            response.on('end', () =>
                done({
                    status: response.statusCode,
                    headers: response.headers,
                    body: Buffer.concat(parts),
                }),
            );
        })
            .on('error', failed)
            .end();
    });
}

async function hasConsole(gateway, t) {
    const { body } = await ask(`${gateway.url}/`);
    if (body.includes('id="root"')) return true;
    t.skip('the binary was built without the console');
    return false;
}

scenario(
    'binary: files come compressed, checked by their tags',
    async (room, t) => {
        const gateway = await room.gateway();
        if (!(await hasConsole(gateway, t))) return;
        const page = await ask(`${gateway.url}/`);
        assert.equal(page.status, 200);
        assert.equal(page.headers['cache-control'], 'no-cache');
        assert.match(
            page.headers['content-security-policy'],
            /^default-src 'none'; script-src 'self';/,
        );
        const inside = await ask(`${gateway.url}/console/keys/openai`, {
            'accept-encoding': 'gzip',
        });
        assert.deepEqual(gunzipSync(inside.body), page.body);
        const again = await ask(`${gateway.url}/`, {
            'if-none-match': page.headers.etag,
        });
        assert.equal(again.status, 304);
        assert.equal(again.body.length, 0);
        const head = await ask(`${gateway.url}/`, {}, 'HEAD');
        assert.equal(head.status, 200);
        assert.equal(head.body.length, 0);
        let sum = inside.body.length;
        for (const [, path] of page.body
            .toString()
            .matchAll(/(?:src|href)="([^"]+)"/g)) {
            const gzip = await ask(gateway.url + path, {
                'accept-encoding': 'gzip',
            });
            const brotli = await ask(gateway.url + path, {
                'accept-encoding': 'gzip, br',
            });
            assert.equal(gzip.headers['content-encoding'], 'gzip');
            assert.equal(brotli.headers['content-encoding'], 'br');
            assert.match(gzip.headers['cache-control'], /immutable/);
            assert.deepEqual(
                brotliDecompressSync(brotli.body),
                gunzipSync(gzip.body),
            );
            sum += gzip.body.length;
        }
        assert.ok(sum < 120000, `${sum} bytes`);
        t.diagnostic(`the whole console: ${sum} bytes in gzip`);
        assert.equal(
            (await ask(`${gateway.url}/console/assets/none.js`)).status,
            404,
        );
        const old = await ask(`${gateway.url}/keys/openai`);
        assert.equal(old.status, 303);
        assert.equal(old.headers.location, '/console/keys/openai');
    },
);

function visiting(name, body, { keys = {}, timeout = 90000, ...look } = {}) {
    scenario(
        name,
        async (room, t) => {
            const { gateway, mock } = await room.world({ keys });
            if (!(await hasConsole(gateway, t))) return;
            browser ??= await startBrowser();
            const visit = await Visit.open(browser, gateway.url, look);
            try {
                await visit.signIn(AUTH);
                await body({ visit, gateway, mock, room, t });
                await visit.holds(name);
            } finally {
                await visit.close();
            }
        },
        { timeout, skip: missing },
    );
}

visiting(
    'binary: what was exported, or kept elsewhere, is taken as it is',
    async ({ visit, gateway }) => {
        const { page } = visit;
        const box = page.getByRole('textbox', { name: 'Keys' });
        const paste = async (text) => {
            await visit.go('/console/keys/google-ai-studio?add=1');
            await visit.context.grantPermissions([
                'clipboard-read',
                'clipboard-write',
            ]);
            await page.evaluate(
                (pasted) => navigator.clipboard.writeText(pasted),
                text,
            );
            await box.focus();
            await page.keyboard.press('Control+V');
        };
        const add = () =>
            page
                .getByRole('dialog')
                .getByRole('button', { name: 'Add keys' })
                .click();
        await paste(`openai ${secret('one')} spare\ngroq ${secret('two')}\n`);
        await page.getByText('TEXT: read by the gateway').waitFor();
        await add();
        await page.getByText('2 keys added.').waitFor();
        await page.getByText('Read as lines of').waitFor();
        await visit.shot('add-read');
        await paste(`DEBUG=true\nAPI_KEYS=["${secret('aiz')}"]\n`);
        await page.getByText('ENV: read by the gateway').waitFor();
        await add();
        await page.getByText('1 key added.').waitFor();
        await paste(`["${secret('arr')}"]`);
        await add();
        await page.getByText('1 key added.').waitFor();
        const { body } = await gateway.admin('GET', '/keys');
        const found = body.keys.map(
            ({ provider, remark }) => `${provider} ${remark}`,
        );
        assert.deepEqual(found.sort(), [
            'google-ai-studio ',
            'google-ai-studio ',
            'groq ',
            'openai spare',
        ]);
    },
);

visiting(
    'binary: keys are added, found, remarked and removed',
    async ({ visit, gateway }) => {
        const { page } = visit;
        await visit.go('/console/keys/openai?add=1');
        await page.getByRole('dialog').getByLabel('Remark').fill(HOSTILE);
        await page
            .getByRole('textbox', { name: 'Keys' })
            .fill(`${secret('one')}\n${secret('two')}`);
        await page.getByRole('button', { name: 'Add 2 keys' }).click();
        await page.getByText('2 keys added.').waitFor();
        await page.getByRole('button', { name: 'Done' }).click();
        await page.getByText(HOSTILE).first().waitFor();
        assert.equal(await page.locator('img').count(), 0);
        await page.locator('tbody .link').first().click();
        const dialog = page.getByRole('dialog').first();
        await dialog.getByRole('button', { name: 'Block' }).click();
        await dialog.getByRole('button', { name: 'Activate' }).waitFor();
        assert.equal((await gateway.listKeys('status=blocked')).length, 1);
        await dialog.getByRole('button', { name: 'Show key' }).click();
        await dialog.getByText(secret('one')).waitFor();
        await dialog.getByRole('button', { name: 'Remove' }).click();
        await page
            .getByRole('dialog', { name: 'Remove' })
            .getByRole('button', { name: 'Remove' })
            .click();
        await page.getByText('The key is removed.').waitFor();
        assert.equal((await gateway.listKeys()).length, 1);
    },
    { expected: /status of 40[45]/ },
);

visiting(
    'binary: a chat of the playground is answered, and by which key',
    async ({ visit }) => {
        const { page } = visit;
        await page.getByRole('link', { name: 'Playground' }).click();
        await page.getByLabel('Model').fill('openai/gpt-5');
        await page.getByLabel('Message').fill('Hello');
        await page.getByRole('button', { name: 'Send' }).click();
        await page.locator('.turn.assistant p').waitFor();
        await page.locator('.side-column a.mono').waitFor();
        await visit.shot('binary-playground');
        assert.notEqual(
            await page.locator('.turn.assistant p').textContent(),
            '',
        );
    },
    { keys: { openai: [secret('one')] }, expected: /status of 404/ },
);

visiting(
    'binary: a hundred thousand keys do not slow the console',
    async ({ visit, gateway, t }) => {
        const all = Array.from(
            { length: 100000 },
            (_, at) => `sk-bulk-${String(at).padStart(12, '0')}abcdef`,
        );
        for (let at = 0; at < all.length; at += 20000)
            await gateway.addKeys(
                'openai',
                all.slice(at, at + 20000).join('\n'),
            );
        const { page } = visit;
        const painted = async (path, what) => {
            await page.goto(gateway.url + path, { waitUntil: 'commit' });
            await page.locator('main h1').waitFor();
            const first = await page.evaluate(
                () =>
                    performance
                        .getEntriesByType('paint')
                        .find(({ name }) => name === 'first-contentful-paint')
                        ?.startTime,
            );
            await what.waitFor();
            const data = await page.evaluate(() => performance.now());
            t.diagnostic(
                `${path}: first content ${Math.round(first)} ms, data ${Math.round(data)} ms`,
            );
        };
        for (let turn = 0; turn < 2; turn++) {
            await painted('/', page.locator('.pools a').first());
            await painted(
                '/console/keys/openai',
                page.locator('tbody .link').first(),
            );
        }
        await visit.go('/console/keys/openai?add=1');
        const text = Array.from(
            { length: 10000 },
            (_, at) => `sk-more-${String(at).padStart(12, '0')}abcdef`,
        ).join('\n');
        await visit.context.grantPermissions([
            'clipboard-read',
            'clipboard-write',
        ]);
        await page.evaluate(
            (keys) => navigator.clipboard.writeText(keys),
            text,
        );
        await page.getByRole('textbox', { name: 'Keys' }).focus();
        await page.keyboard.press('Control+V');
        const button = page.getByRole('button', { name: 'Add 10,000 keys' });
        await button.waitFor();
        const began = performance.now();
        await button.click();
        await page.getByText('10,000 keys added.').waitFor({ timeout: 30000 });
        t.diagnostic(
            `10,000 keys by paste: ${Math.round(performance.now() - began)} ms`,
        );
    },
    { expected: /status of 40[45]/, timeout: 150000 },
);
