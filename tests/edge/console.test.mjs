/* The console's files are Cloudflare's to serve, as src/admin/console.c serves
 * them; every other path is the Worker's. */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ASSETS } from '../../worker/deploy/console.mjs';
import { AUTH, scenario } from '../integration/harness.mjs';

process.env.ONE_BALANCE_GATEWAY = fileURLToPath(
    new URL('gateway.mjs', import.meta.url),
);

const PAGE = await readFile(join(ASSETS, 'index.html'), 'utf8');
const FILES = await readdir(join(ASSETS, 'console/assets'));

/* Everything that the binary sends with a file, but how long it is kept. */
async function isGuarded(response) {
    const native = await readFile(
        new URL('../../src/admin/console.c', import.meta.url),
        'utf8',
    );
    const [, text] = /policy\[\] =\s*((?:"[^"]*"\s*)+);/.exec(native);
    const policy = text.replaceAll(/"\s*"/g, '').trim().slice(1, -1);
    const { headers } = response;
    assert.equal(headers.get('content-security-policy'), policy);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
}

scenario(
    'console: the page stands at / and at its own places',
    async (room) => {
        const { url } = await room.gateway();
        const places = [
            '/',
            '/console',
            '/console/',
            '/console/keys/openai?q=1',
        ];
        for (const place of places) {
            const response = await fetch(url + place, { redirect: 'manual' });
            assert.equal(response.status, 200, place);
            assert.equal(await response.text(), PAGE, place);
            assert.match(response.headers.get('content-type'), /^text\/html/);
            assert.match(
                response.headers.get('cache-control'),
                /no-cache|max-age=0, must-revalidate/,
            );
            await isGuarded(response);
        }
    },
);

scenario(
    'console: files are kept for good, and checked by tags',
    async (room) => {
        const { url } = await room.gateway();
        const types = {
            js: 'text/javascript',
            css: 'text/css',
            svg: 'image/svg',
        };
        for (const name of FILES) {
            const response = await fetch(`${url}/console/assets/${name}`);
            assert.equal(response.status, 200);
            assert.equal(
                response.headers.get('cache-control'),
                'public, max-age=31536000, immutable',
            );
            const type = response.headers.get('content-type');
            assert.ok(type.startsWith(types[name.split('.').at(-1)]), type);
            await isGuarded(response);
        }
        const { headers } = await fetch(url);
        const again = await fetch(url, {
            headers: { 'if-none-match': headers.get('etag') },
        });
        assert.equal(again.status, 304);
    },
);

scenario('console: what is no file of it is never kept', async (room) => {
    const { url } = await room.gateway();
    const gone = await fetch(`${url}/console/assets/console-GONE.js`);
    assert.doesNotMatch(gone.headers.get('cache-control'), /immutable/);
    assert.match(gone.headers.get('content-type'), /^text\/html/);
    assert.equal(gone.headers.get('x-content-type-options'), 'nosniff');
});

/* What a browser that is led there sends. */
const NAVIGATION = { 'sec-fetch-mode': 'navigate', accept: 'text/html' };

scenario('console: old addresses lead to the new ones', async (room) => {
    const { url } = await room.gateway();
    for (const path of ['/keys', '/keys/openai', '/keys/openai?page=2']) {
        const response = await fetch(url + path, { redirect: 'manual' });
        assert.equal(response.status, 303, path);
        const { headers } = response;
        assert.equal(headers.get('location'), `/console${path.split('?')[0]}`);
        assert.equal(headers.get('cache-control'), 'no-store');
        assert.equal(headers.get('x-content-type-options'), 'nosniff');
        const led = await fetch(url + path);
        assert.equal(await led.text(), PAGE, path);
    }
    const posted = await fetch(`${url}/keys`, { method: 'POST' });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.get('allow'), 'GET');
});

scenario('console: every other path is the Worker’s', async (room) => {
    const { url } = await room.gateway();
    const others = [
        '/v1/models',
        '/api/openai/v1/models',
        '/admin/api/keys',
        '/login',
        '/keys/openai',
        '/healthz',
        '/index.html',
        '/_headers',
        '/consoles',
        '/x',
    ];
    for (const path of others) {
        const response = await fetch(url + path, {
            headers: NAVIGATION,
            redirect: 'manual',
        });
        assert.notEqual(await response.text(), PAGE, path);
    }
    const models = await fetch(`${url}/v1/models`, {
        headers: { authorization: `Bearer ${AUTH}` },
    });
    assert.equal((await models.json()).object, 'list');
});
