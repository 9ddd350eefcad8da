/* What people do in the console, step by step. */
import assert from 'node:assert/strict';
import { DEV_KEY, console_ } from './fixture.mjs';

console_(
    'a first visit asks for the auth key and nothing else',
    async (visit) => {
        await visit.go('/');
        await visit.shot('sign-in');
        await visit.accessible('sign-in');
        await visit.holds('sign-in');
        const field = visit.page.getByLabel('Auth key');
        assert.ok(
            await field.evaluate((node) => node === document.activeElement),
        );
        await field.fill('wrong');
        await field.press('Enter');
        await visit.page
            .getByRole('alert')
            .getByText('no such auth key')
            .waitFor();
        await field.fill(DEV_KEY);
        await field.press('Enter');
        await visit.page.getByRole('heading', { name: 'Overview' }).waitFor();
        await visit.page.getByRole('button', { name: 'Sign out' }).click();
        await visit.page.getByLabel('Auth key').waitFor();
    },
    { signedIn: false, expected: /status of 401/, fake: { keys: 100 } },
);

console_(
    'a session that has ended leads back to the sign-in',
    async (visit, server) => {
        server.sessions.clear();
        await visit.go('/console/models');
        await visit.page.getByLabel('Auth key').waitFor();
    },
    { expected: /status of 401/, fake: { keys: 100 } },
);

console_(
    'models are found by their words',
    async (visit) => {
        const { page } = visit;
        await visit.go('/console/models');
        const rows = page.locator('table.models tbody tr');
        await rows.first().waitFor();
        const all = await rows.count();
        const search = page.getByLabel('Model or provider');
        await search.fill('GEMINI flash');
        await page.getByText('smart', { exact: true }).waitFor({
            state: 'detached',
        });
        const few = await rows.allTextContents();
        assert.ok(few.length > 0 && few.length < all, few.join('\n'));
        for (const text of few) assert.match(text, /gemini.*flash/);
        await page.getByText('fast', { exact: true }).waitFor();
        await search.fill('nothing like it');
        assert.equal(await page.getByText('None that matches.').count(), 2);
        await visit.shot('models-nothing');
        await search.fill('');
        assert.equal(await rows.count(), all);
    },
    { fake: { keys: 100 } },
);

console_(
    'old addresses lead to their new places',
    async (visit) => {
        await visit.go('/keys/openai');
        assert.equal(
            new URL(visit.page.url()).pathname,
            '/console/keys/openai',
        );
        await visit.page
            .getByRole('heading', { name: 'OpenAI', exact: true })
            .waitFor();
        await visit.go('/keys');
        assert.equal(new URL(visit.page.url()).pathname, '/console/keys');
    },
    { fake: { keys: 100 } },
);

console_(
    'a hundred thousand keys are found, sorted and paged without reloads',
    async (visit) => {
        await visit.go('/console/keys');
        const { page } = visit;
        await page.evaluate(() => (window.same = true));
        await page.getByText('100,000 keys').waitFor();
        const first = () => page.locator('tbody .link').first().textContent();
        const before = await first();
        await page.getByRole('button', { name: 'Added' }).click();
        await page.waitForFunction(
            (old) => document.querySelector('tbody .link').textContent !== old,
            before,
        );
        assert.match(page.url(), /sort=created_at&order=desc/);
        await page.getByRole('button', { name: 'Next page' }).click();
        await page.waitForFunction(
            () => document.querySelector('.page-number').value === '2',
        );
        await page.getByRole('button', { name: /^Blocked/ }).click();
        await page.waitForFunction(() =>
            [...document.querySelectorAll('tbody .badge')].every((n) =>
                n.textContent.includes('Blocked'),
            ),
        );
        await page.getByRole('searchbox').fill('TEAM');
        await page.waitForFunction(() =>
            [...document.querySelectorAll('tbody .remark')].every((n) =>
                /team/.test(n.textContent),
            ),
        );
        assert.match(page.url(), /q=TEAM/);
        assert.equal(
            await page.evaluate(() => window.same),
            true,
            'the page was loaded anew',
        );
    },
);

console_(
    'keys are added by paste, with a look at them first',
    async (visit) => {
        const { page } = visit;
        await visit.go('/console/keys/openai?add=1');
        await page
            .getByRole('textbox', { name: 'Keys' })
            .fill(
                'sk-new-000000001\nsk-new-000000001, sk-new-000000002\nshort\n',
            );
        await page.getByRole('button', { name: 'Add 2 keys' }).waitFor();
        const dialog = page.getByRole('dialog');
        await dialog.getByText('a key has at least 8 characters').waitFor();
        await visit.shot('add-preview');
        await page.getByRole('button', { name: 'Add 2 keys' }).click();
        await dialog.getByText('2 keys added.').waitFor();
        await visit.shot('add-done');
        await visit.accessible('after adding');
        await page.getByRole('button', { name: 'Done' }).click();
        await page.getByText('182 keys').waitFor();
    },
    { fake: { keys: 1000 } },
);

console_(
    'files of keys and exports are read',
    async (visit, server) => {
        const { page } = visit;
        await visit.go('/console/keys/openai?add=1');
        const file = (name, text) => ({
            name,
            mimeType: 'text/plain',
            buffer: Buffer.from(text),
        });
        await page
            .getByLabel('Or from files')
            .setInputFiles([
                file('keys.txt', 'sk-file-00000001\nsk-file-00000002\n'),
                file(
                    'export.csv',
                    'provider,key,remark\ngroq,gsk_file00000001,a\n',
                ),
            ]);
        await page.getByText('CSV: read by the gateway').waitFor();
        await visit.shot('add-files');
        await page.getByRole('button', { name: 'Add 2 keys' }).click();
        await page.getByText('3 keys added.').waitFor();
        assert.equal([...server.fake.keys.values()].at(-1).provider, 'groq');
    },
    { fake: { keys: 100 } },
);

console_(
    'ten thousand keys by paste take less than 3 s, and show how far they are',
    async (visit) => {
        const { page } = visit;
        await visit.go('/console/keys/openai?add=1');
        const keys = Array.from(
            { length: 10000 },
            (_, at) => `sk-many-${String(at).padStart(8, '0')}`,
        ).join('\n');
        await visit.context.grantPermissions([
            'clipboard-read',
            'clipboard-write',
        ]);
        await page.evaluate(
            (text) => navigator.clipboard.writeText(text),
            keys,
        );
        await page.getByRole('textbox', { name: 'Keys' }).focus();
        await page.keyboard.press('Control+V');
        await page.getByRole('button', { name: 'Add 10,000 keys' }).waitFor();
        await visit.shot('add-many');
        await page.evaluate(() => {
            window.shown = new Set();
            new MutationObserver(() => {
                const bar = document.querySelector('progress');
                if (bar) window.shown.add(bar.value);
            }).observe(document.body, {
                subtree: true,
                childList: true,
                attributes: true,
            });
        });
        const began = performance.now();
        await page.getByRole('button', { name: 'Add 10,000 keys' }).click();
        await page.getByText('10,000 keys added.').waitFor();
        const took = performance.now() - began;
        assert.ok(took < 3000, `${took} ms`);
        const steps = await page.evaluate(() => window.shown.size);
        assert.ok(steps >= 3, `the bar stood at ${steps} places`);
    },
);

console_(
    'keys are changed many at a time',
    async (visit, server) => {
        const { page } = visit;
        await visit.go('/console/keys/mistral');
        const boxes = page.locator('tbody input[type=checkbox]');
        await boxes.nth(1).click();
        await boxes.nth(3).click({ modifiers: ['Shift'] });
        await page.getByText('3 selected').waitFor();
        await visit.shot('bulk');
        await page.getByRole('button', { name: 'Remark' }).click();
        await page.getByRole('dialog').getByLabel('Remark').fill('moved');
        await page
            .getByRole('dialog')
            .getByRole('button', { name: 'Remark' })
            .click();
        await page.getByText('3 keys changed.').waitFor();
        assert.equal(
            [...server.fake.keys.values()].filter(
                ({ remark }) => remark === 'moved',
            ).length,
            3,
        );
        await page.getByLabel('Select all on this page').click();
        await page
            .getByRole('button', { name: 'Select all 20 that match' })
            .waitFor({ state: 'detached' });
        await page.getByRole('button', { name: 'Block', exact: true }).click();
        await page
            .getByRole('dialog')
            .getByRole('button', { name: 'Block' })
            .click();
        await page.getByText('20 keys changed.').waitFor();
        assert.ok(
            [...server.fake.keys.values()]
                .filter(({ provider }) => provider === 'mistral')
                .every(({ status }) => status === 'blocked'),
        );
    },
    { fake: { keys: 1000 } },
);

console_(
    'all that match a filter are taken together',
    async (visit, server) => {
        const { page } = visit;
        await visit.go('/console/keys/openai?status=cooling');
        await page.getByLabel('Select all on this page').click();
        await page
            .getByRole('button', { name: /Select all \d+ that match/ })
            .click();
        await page
            .getByRole('button', { name: 'Activate', exact: true })
            .click();
        await page
            .getByRole('dialog')
            .getByRole('button', { name: 'Activate' })
            .click();
        await page.getByText('keys changed.').waitFor();
        assert.equal(
            server.fake.matching({ provider: 'openai', status: 'cooling' })
                .length,
            0,
        );
    },
    { fake: { keys: 2000 } },
);

console_(
    'a long page of keys is put up to its end',
    async (visit) => {
        const { page } = visit;
        await visit.go('/console/keys?size=250');
        await page.waitForFunction(
            () => document.querySelectorAll('tbody tr').length === 250,
        );
        await page.getByRole('button', { name: 'Next page' }).click();
        await page.waitForFunction(
            () => document.querySelectorAll('tbody tr').length === 50,
        );
    },
    { fake: { keys: 300 } },
);

console_(
    'the first page says which keys work, and why the others do not',
    async (visit, server) => {
        const lines = visit.page.locator('.pool-keys li');
        await lines.first().waitFor();
        const told = (await lines.allInnerTexts()).join('\n');
        for (const key of server.fake.keys.values())
            assert.ok(told.includes(key.key), key.key);
        const { keys } = server.fake.list({ status: 'blocked' });
        const [blocked] = keys;
        const line = lines.filter({ hasText: blocked.key }).first();
        assert.match(await line.innerText(), /Blocked\s+\w+/);
        assert.ok((await visit.layoutShift()) < 0.01, 'nothing moves');
    },
    { fake: { keys: 20 } },
);

console_(
    'the first page counts many keys by why they do not work',
    async (visit) => {
        const why = visit.page.locator('.pool-why li');
        await why.first().waitFor();
        assert.match(await why.first().innerText(), /^[\d,]+ \w+: \w+/);
        assert.equal(await visit.page.locator('.pool-keys').count(), 0);
    },
    { fake: { keys: 2000 } },
);

console_(
    'one key is tested, remarked, blocked, shown and removed',
    async (visit, server) => {
        const { page } = visit;
        await visit.go('/console/keys/google-ai-studio?key=4');
        const dialog = page.getByRole('dialog').first();
        await dialog.getByRole('button', { name: 'Test' }).click();
        await dialog.getByText('The provider refused.').waitFor();
        await dialog.getByLabel('Remark').fill('hello');
        await dialog.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved').waitFor();
        assert.equal(server.fake.keys.get(4).remark, 'hello');
        await dialog.getByRole('button', { name: 'Show key' }).click();
        await dialog.getByText(server.fake.keys.get(4).secret).waitFor();
        await dialog.getByRole('button', { name: 'Block' }).click();
        await page.getByText('The key is blocked.').waitFor();
        await dialog.getByRole('button', { name: 'Activate' }).waitFor();
        await visit.shot('key-changed');
        await dialog.getByRole('button', { name: 'Remove' }).click();
        await page
            .getByRole('dialog', { name: 'Remove' })
            .getByRole('button', { name: 'Remove' })
            .click();
        await page.getByText('The key is removed.').waitFor();
        assert.equal(server.fake.keys.has(4), false);
    },
    { fake: { keys: 100 } },
);

console_(
    'the log is filtered, opened and followed live',
    async (visit, server) => {
        const { page } = visit;
        await visit.go('/console/requests');
        await page
            .getByLabel('Provider', { exact: true })
            .selectOption('anthropic');
        await page.waitForFunction(() =>
            [...document.querySelectorAll('.model-cell .muted')].every(
                (n) => n.textContent === 'anthropic',
            ),
        );
        await page.getByRole('button', { name: 'Clear filters' }).click();
        await page.getByRole('button', { name: 'Show older' }).click();
        await page.waitForFunction(
            () => document.querySelectorAll('tbody tr').length === 100,
        );
        await page.getByRole('button', { name: 'Live' }).click();
        await page.locator('.live.on').waitFor();
        const made = server.happen();
        await page.waitForFunction(
            () => document.querySelectorAll('tbody tr').length === 101,
        );
        await page.locator('tbody a').first().click();
        await page.getByRole('dialog').getByText(made.request_id).waitFor();
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
    },
    { fake: { keys: 1000 } },
);

console_(
    'verdicts are rewound after a look',
    async (visit) => {
        const { page } = visit;
        await visit.go('/');
        await page.getByRole('button', { name: 'Rewind…' }).click();
        await page.getByRole('button', { name: 'Show keys' }).click();
        const act = page.getByRole('button', { name: 'Set free' });
        await act.waitFor();
        await visit.shot('rewind');
        await visit.accessible('rewind');
        await act.click();
        await page.getByText(/active again/).waitFor();
    },
    { fake: { keys: 1000 } },
);

console_(
    'an auth key is made and shown once',
    async (visit) => {
        const { page } = visit;
        await visit.go('/console/auth-keys');
        await page.getByRole('button', { name: 'New auth key' }).click();
        await page.getByLabel('Name').fill('laptop');
        await page.getByRole('button', { name: 'Allow a provider' }).click();
        await visit.shot('auth-key-new');
        await visit.accessible('new auth key');
        await page.getByRole('button', { name: 'Make the key' }).click();
        await page.getByText('ob-abcdefghijkmnpqrstuvwxyz').waitFor();
        await page.getByRole('button', { name: 'Done' }).click();
        await page.getByText('laptop', { exact: true }).waitFor();
        assert.equal(
            await page.getByText('ob-abcdefghijkmnpqrstuvwxyz').count(),
            0,
        );
    },
    { fake: { keys: 100 } },
);

console_(
    'the playground shows which key answered',
    async (visit, server) => {
        const { page } = visit;
        await page.getByRole('link', { name: 'Playground' }).click();
        await page.getByLabel('Model').fill('smart');
        await page.getByLabel('Message').fill('Hello');
        await page.getByRole('button', { name: 'Send' }).click();
        await page.getByText('Hello from <b>here</b>.').waitFor();
        const { key } = server.fake.requests[0];
        await page.getByRole('link', { name: key.key }).waitFor();
        await visit.shot('playground-answer');
        await visit.accessible('playground');
    },
    { fake: { keys: 1000 } },
);

console_(
    'snippets carry the address of the gateway and are copied',
    async (visit, server) => {
        const { page } = visit;
        await visit.context.grantPermissions([
            'clipboard-read',
            'clipboard-write',
        ]);
        await visit.go('/console/connect');
        for (const name of [
            'curl',
            'OpenAI SDK',
            'Anthropic SDK',
            'Google Gen AI SDK',
            'Cherry Studio',
            'Claude Code',
            'Codex',
            'Gemini CLI',
        ]) {
            await page.getByRole('button', { name, exact: true }).click();
            assert.ok(
                (await page.locator('pre').first().textContent()).includes(
                    server.url,
                ),
                name,
            );
        }
        await page.getByRole('button', { name: 'Copy' }).first().click();
        assert.match(
            await page.evaluate(() => navigator.clipboard.readText()),
            /GOOGLE_GEMINI_BASE_URL/,
        );
    },
    { fake: { keys: 100 } },
);

console_(
    'what others have named never becomes markup',
    async (visit) => {
        for (const path of [
            '/',
            '/console/keys/google-ai-studio',
            '/console/keys/google-ai-studio?key=3',
            '/console/requests?q=img',
            '/console/requests?id=388',
            '/console/models',
        ]) {
            await visit.go(path);
            assert.equal(await visit.page.locator('img').count(), 0, path);
        }
        await visit.go('/console/keys/google-ai-studio');
        await visit.page
            .getByText('<img src=x onerror=alert(1)>')
            .first()
            .waitFor();
        await visit.go('/console/models');
        await visit.page
            .getByText('<img src=x onerror=alert(1)>')
            .first()
            .waitFor();
    },
    { fake: { keys: 1000 } },
);

console_(
    'the whole console is used by keyboard alone',
    async (visit) => {
        const { page } = visit;
        await visit.go('/');
        await page.keyboard.press('Tab');
        assert.equal(
            await page.evaluate(() => document.activeElement.textContent),
            'Skip to content',
        );
        for (let turn = 0; turn < 3; turn++) await page.keyboard.press('Tab');
        assert.equal(
            await page.evaluate(() =>
                document.activeElement.textContent.trim(),
            ),
            'Provider keys',
        );
        await page.keyboard.press('Enter');
        const key = page.locator('tbody .link').first();
        await key.waitFor();
        await key.focus();
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').waitFor();
        for (let turn = 0; turn < 40; turn++) await page.keyboard.press('Tab');
        assert.ok(
            await page.evaluate(
                () =>
                    document.activeElement === document.body ||
                    !!document.activeElement.closest('dialog'),
            ),
            'the focus has left the dialog',
        );
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        assert.ok(
            await key.evaluate((node) => node === document.activeElement),
            'the focus is not back',
        );
    },
    { fake: { keys: 1000 } },
);

console_(
    'colours and language are switched and kept',
    async (visit) => {
        const { page } = visit;
        const look = () =>
            page.evaluate(() => document.documentElement.dataset.look);
        assert.equal(await look(), 'light');
        await page
            .getByRole('button', { name: 'Colours: as the system' })
            .click();
        await page.getByRole('button', { name: 'Colours: light' }).click();
        assert.equal(await look(), 'dark');
        await page.getByRole('button', { name: '中文' }).click();
        await page.getByRole('heading', { name: '概览' }).waitFor();
        await visit.go('/');
        assert.equal(await look(), 'dark');
        await page.getByRole('heading', { name: '概览' }).waitFor();
    },
    { fake: { keys: 100 } },
);

console_(
    'the phone menu opens and closes',
    async (visit) => {
        const { page } = visit;
        await visit.go('/');
        assert.equal(
            await page.getByRole('link', { name: 'Settings' }).count(),
            0,
        );
        await page.getByRole('button', { name: 'Menu' }).click();
        const bar = await page.locator('.brand').boundingBox();
        const first = await page
            .getByRole('link', { name: 'Requests', exact: true })
            .boundingBox();
        assert.ok(
            first.y > bar.y + bar.height,
            'the menu is not below the bar',
        );
        assert.ok(first.width > 150, 'the ways are cut');
        await visit.shot('menu');
        await visit.accessible('menu');
        await page.getByRole('link', { name: 'Settings' }).click();
        await page.getByRole('heading', { name: 'Settings' }).waitFor();
        assert.equal(
            await page.getByRole('link', { name: 'Settings' }).count(),
            0,
        );
    },
    { size: 'phone', fake: { keys: 100 } },
);
