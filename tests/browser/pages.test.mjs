/* Every page in every size and look: nothing wider than the screen, nothing in
 * the console, nothing serious found by axe, nothing that moves by itself. */
import assert from 'node:assert/strict';
import { console_ } from './fixture.mjs';

const pages = {
    overview: '/',
    keys: '/console/keys/google-ai-studio',
    'all-keys': '/console/keys',
    key: '/console/keys/google-ai-studio?key=3',
    add: '/console/keys?add=1',
    requests: '/console/requests',
    request: '/console/requests?id=400',
    'auth-keys': '/console/auth-keys',
    models: '/console/models',
    playground: '/console/playground',
    connect: '/console/connect',
    settings: '/console/settings',
    nowhere: '/console/nowhere',
};

for (const size of ['desktop', 'phone'])
    for (const look of ['light', 'dark'])
        console_(
            `pages hold on a ${size} in ${look}`,
            async (visit) => {
                for (const [name, path] of Object.entries(pages)) {
                    await visit.go(path);
                    await visit.shot(name);
                    await visit.accessible(name);
                    await visit.holds(name);
                    const shift = await visit.layoutShift();
                    assert.ok(
                        shift < 0.01,
                        `${name}: the layout shifts by ${shift}`,
                    );
                }
            },
            { size, look, timeout: 180000, fake: { keys: 5000 } },
        );

console_(
    'pages speak Chinese where the browser does',
    async (visit) => {
        for (const [name, path] of Object.entries(pages)) {
            await visit.go(path);
            await visit.shot(`zh-${name}`);
            const text = await visit.page.evaluate(
                () => document.body.innerText,
            );
            assert.match(text, /供应商密钥/, name);
            await visit.holds(name);
        }
        assert.equal(
            await visit.page.evaluate(() => document.documentElement.lang),
            'zh-CN',
        );
    },
    { language: 'zh-CN', timeout: 120000, fake: { keys: 1000 } },
);

console_(
    'pages say what an older gateway does not have',
    async (visit) => {
        await visit.go('/');
        await visit.page
            .getByText('The request log is switched off', { exact: false })
            .first()
            .waitFor();
        await visit.page
            .getByText('does not tell what it decided', { exact: false })
            .waitFor();
        await visit.page
            .getByRole('link', { name: 'Google AI Studio' })
            .waitFor();
        for (const [path, text] of [
            ['/console/requests', 'The request log is switched off'],
            ['/console/auth-keys', 'come from its environment'],
            ['/console/models', 'does not list models'],
            ['/console/settings', 'does not show its settings'],
            [
                '/console/keys/openai?key=630',
                'tells neither quotas nor evidence',
            ],
        ]) {
            await visit.go(path);
            await visit.page
                .getByText(text, { exact: false })
                .first()
                .waitFor();
        }
        await visit.shot('absent');
    },
    {
        expected: /status of 404/,
        fake: { keys: 1000 },
        absent: [
            '/stats',
            '/changes',
            '/requests',
            '/log',
            '/auth-keys',
            '/audit',
            '/sessions',
            '/models',
            '/settings',
            '/events',
            '/keys/{id}',
            '/keys/preview',
        ],
    },
);
