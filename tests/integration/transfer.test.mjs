/* Keys out and in over the admin API. */
import assert from 'node:assert/strict';
import { AUTH, scenario, secret } from './harness.mjs';

const [A, B, C] = ['a', 'b', 'c'].map(secret);

async function download(gateway, query, key = AUTH) {
    const response = await fetch(
        `${gateway.url}/admin/api/keys/export?${query}`,
        { headers: { authorization: `Bearer ${key}` } },
    );
    return { response, text: await response.text() };
}

async function upload(gateway, query, body) {
    const response = await fetch(
        `${gateway.url}/admin/api/keys/import?${query}`,
        { method: 'POST', headers: { authorization: `Bearer ${AUTH}` }, body },
    );
    return { status: response.status, body: JSON.parse(await response.text()) };
}

async function filled(room) {
    const { gateway } = await room.world({
        keys: { openai: [A], anthropic: [C] },
    });
    await gateway.addKeys('openai', [B], 'a "quoted", remark');
    const { id } = await gateway.key(B);
    await gateway.admin('PATCH', `/keys/${id}`, {
        status: 'blocked',
        priority: 3,
        weight: 5,
    });
    return gateway;
}

const kept = (keys) =>
    keys.map(({ provider, key, status, remark, priority, weight }) => ({
        provider,
        key,
        status,
        remark,
        priority,
        weight,
    }));

for (const format of ['csv', 'json'])
    scenario(`transfer: what ${format} takes out comes back`, async (room) => {
        const gateway = await filled(room);
        const before = await gateway.listKeys();
        const { response, text } = await download(
            gateway,
            `format=${format}&secrets=1`,
        );
        assert.equal(response.status, 200, text);
        assert.equal(
            response.headers.get('content-disposition'),
            `attachment; filename="keys.${format}"`,
        );
        assert.equal(response.headers.get('cache-control'), 'no-store');
        assert.match(response.headers.get('content-type'), new RegExp(format));
        assert.ok(text.includes(A) && text.includes(B) && text.includes(C));
        if (format === 'json') assert.equal(JSON.parse(text).length, 3);
        await gateway.admin('DELETE', '/keys', {
            ids: before.map((key) => key.id),
        });
        const { status, body } = await upload(gateway, `format=auto`, text);
        assert.equal(status, 200);
        assert.deepEqual(body, {
            added: 3,
            known: 0,
            cooldowns: 0,
            read_as: format === 'csv' ? 'CSV' : 'a JSON array',
            refused: [],
        });
        assert.deepEqual(kept(await gateway.listKeys()), kept(before));
        const again = await upload(gateway, `format=${format}`, text);
        assert.equal(again.body.known, 3);
        assert.equal((await gateway.chat()).status, 200);
    });

scenario('transfer: text is a line a key', async (room) => {
    const gateway = await filled(room);
    const { text } = await download(
        gateway,
        'format=text&secrets=1&provider=openai',
    );
    assert.equal(text, `openai ${A}\nopenai ${B} a "quoted", remark\n`);
    const { body } = await upload(gateway, 'format=text', `${text}${C}\nx y\n`);
    assert.equal(body.known, 2);
    assert.equal(body.refused.length, 2);
    assert.equal(body.refused[0].row, 3);
    assert.ok(!JSON.stringify(body).includes(C));
});

scenario('transfer: without secrets keys are masked', async (room) => {
    const gateway = await filled(room);
    for (const format of ['text', 'csv', 'json']) {
        const { response, text } = await download(gateway, `format=${format}`);
        assert.equal(response.status, 200);
        for (const key of [A, B, C]) assert.ok(!text.includes(key), text);
        assert.ok(text.includes('…'));
        const { body } = await upload(gateway, '', text);
        assert.equal(body.added, 0);
        assert.match(body.refused[0].why, /mask/);
    }
    const { lines } = (await gateway.admin('GET', '/audit')).body;
    assert.deepEqual(
        lines.slice(0, 2).map((line) => [line.act, line.detail]),
        [
            ['keys import', 'added 0, known 0, refused 3'],
            ['keys export', 'json, masked'],
        ],
    );
});

scenario('transfer: a list of keys needs its provider', async (room) => {
    const gateway = await filled(room);
    const list = `${secret('d')}\n${secret('e')}\n`;
    const refused = await upload(gateway, 'format=text', list);
    assert.equal(refused.status, 400);
    assert.match(refused.body.error.message, /provider=/);
    const unknown = await upload(gateway, 'provider=opnai', list);
    assert.equal(unknown.status, 400);
    const { status, body } = await upload(gateway, 'provider=openai', list);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.added, 2);
    assert.equal(body.read_as, 'a list of keys');
});

scenario('transfer: a dump of SQL, and what is refused', async (room) => {
    const gateway = await filled(room);
    const dump = await upload(
        gateway,
        'format=sql',
        `CREATE TABLE keys (provider TEXT, key TEXT, status TEXT);
INSERT INTO keys VALUES ('openai', '${C}', 'active');`,
    );
    assert.equal(dump.status, 200, JSON.stringify(dump.body));
    assert.equal(dump.body.added, 1);
    for (const [query, body, words] of [
        ['format=xml', 'a b', 'format must be'],
        ['', '  \n', 'text to import'],
        ['format=csv', `openai,${B}`, 'columns'],
        ['format=json', '[{"provider":', 'malformed'],
        ['formt=csv', 'x', "did you mean 'format'"],
        ['', 'a\0b', 'NUL'],
    ]) {
        const answer = await upload(gateway, query, body);
        assert.equal(answer.status, 400, `${query} ${body}`);
        assert.ok(answer.body.error.message.includes(words), words);
        assert.ok(!JSON.stringify(answer.body).includes(B));
    }
    for (const query of ['format=jsn', 'provider=opnai', 'secret=1'])
        assert.equal(
            (await download(gateway, query)).response.status,
            400,
            query,
        );
});
