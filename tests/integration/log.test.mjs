/* log.test.mjs - the request log: what it tells of each request, how it is
 * found again, and that no secret is in it. */
import assert from 'node:assert/strict';
import { readFileSync, existsSync } from 'node:fs';
import { AUTH, eventually, scenario } from './harness.mjs';
import { good, limited, revoked } from './mock.mjs';

const A = 'sk-secret-key-for-the-log-aaaa';
const B = 'sk-secret-key-for-the-log-bbbb';
const CHAT = { model: 'openai/gpt-5', messages: [{ role: 'user', content: 'hi' }] };

async function requests(gateway, query = '') {
    const { status, body, text } = await gateway.admin('GET', `/requests?${query}`);
    assert.equal(status, 200, text);
    return body;
}

async function logged(gateway, count, query = '') {
    return eventually(`${count} requests in the log`, async () => {
        const { status, body } = await gateway.admin('GET', `/requests?${query}`);
        return status === 200 && body.requests.length >= count && body.requests;
    });
}

scenario('a chat is logged with who, what and how long', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    const answer = await gateway.post('/v1/chat/completions', CHAT, {
        headers: { 'x-one-balance-metadata': '{"team": "blue", "n": 3}' },
    });
    assert.equal(answer.status, 200);
    const [row] = await logged(gateway, 1);
    console.log(row);
    const one = await gateway.admin('GET', `/requests/${row.id}`);
    console.log(JSON.stringify(one.body));
    console.log((await gateway.admin('GET', '/log')).text);
    await new Promise((d) => setTimeout(d, 1500));
    console.log((await gateway.admin('GET', '/stats?group=model')).text);
});
