/* Under which account a deployment goes, and how it is reached: with a
 * Cloudflare of the test's own. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { World } from './deployment.mjs';

const world = new World();
let cloud;

before(async () => {
    ({ cloud } = await world.start());
});

after(() => world.stop());

test('account: who is not logged in is told how to', async () => {
    const env = { CLOUDFLARE_API_TOKEN: '' };
    const why = [/not logged in/, /wrangler login/];
    await world.stops(world.deploy([], { env }), 1, why);
    assert.deepEqual(cloud.requests, []);
});

test('account: several accounts must be chosen from', async () => {
    const [first] = cloud.accounts;
    cloud.accounts = [first, { id: 'f'.repeat(32), name: 'Another' }];
    const env = { CLOUDFLARE_ACCOUNT_ID: '' };
    const changes = await world.stops(world.deploy([], { env }), 1, [
        /CLOUDFLARE_ACCOUNT_ID/,
        RegExp(`${first.id}  Example`),
        /f{32}  Another/,
    ]);
    cloud.accounts = [first];
    assert.deepEqual(changes, []);
});

/* wrangler renews such a login, and gives its token. */
test('account: who is logged in with a browser needs no token', async () => {
    const home = join(world.dir, 'home');
    await mkdir(join(home, '.wrangler/config'), { recursive: true });
    await world.file(
        'home/.wrangler/config/default.toml',
        `oauth_token = "${cloud.token}"\nrefresh_token = "r"\n` +
            'expiration_time = "2099-01-01T00:00:00.000Z"\n' +
            'scopes = ["account:read"]\n',
    );
    const env = {
        HOME: home,
        XDG_CONFIG_HOME: home,
        CLOUDFLARE_API_TOKEN: '',
        CLOUDFLARE_ACCOUNT_ID: '',
    };
    const { stdout } = await world.ends(world.deploy(['--dry-run'], { env }));
    assert.match(stdout, /Account +Example/);
});

test('account: a wrong token is told of, with what would be right', async () => {
    const env = { CLOUDFLARE_API_TOKEN: 'other' };
    const why = [/failed:\nAuthentication error/, /wrangler login/];
    assert.deepEqual(await world.stops(world.deploy([], { env }), 1, why), []);
});

test('account: where Cloudflare cannot be reached, it says so', async () => {
    const env = { CLOUDFLARE_API_BASE_URL: 'http://127.0.0.1:2' };
    const why = /http:\/\/127\.0\.0\.1:2: .*ECONNREFUSED/;
    await world.stops(world.deploy([], { env }), 1, why);
});

/* Counts what goes through it. */
async function startProxy(t) {
    const proxy = createServer();
    proxy.used = 0;
    proxy.on('connect', (request, socket) => {
        proxy.used++;
        const { hostname, port } = new URL(`http://${request.url}`);
        const there = connect(Number(port), hostname, () => {
            socket.write('HTTP/1.1 200 OK\r\n\r\n');
            there.pipe(socket).pipe(there);
        });
        for (const end of [socket, there]) end.on('error', () => {});
    });
    await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
    t.after(() => proxy.close().closeAllConnections());
    return proxy;
}

test('account: goes through the proxy of the environment', async (t) => {
    const proxy = await startProxy(t);
    const http_proxy = `http://127.0.0.1:${proxy.address().port}`;
    const env = { http_proxy, NO_PROXY: 'no.test' };
    await world.ends(world.deploy(['--dry-run'], { env }));
    assert.ok(proxy.used > 0);
});
