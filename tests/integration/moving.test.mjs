/* Moving in from other programs, and to a Worker's D1 and back. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { scenario, secret } from './harness.mjs';

const [A, B, C] = ['a', 'b', 'c'].map(secret);

const keysOf = async (room, database, env) => {
    const list = await room.cli(['keys', 'list', '--json', '--database', database], {
        env,
    });
    assert.equal(list.code, 0, list.stderr);
    return JSON.parse(list.stdout).keys.map(
        ({ provider, key, status, remark, priority, weight }) => ({
            provider,
            key: key.slice(-4),
            status,
            remark,
            priority,
            weight,
        }),
    );
};

scenario('moving: a list says whose its keys are, or the person does', async (room) => {
    const list = room.file('keys-main-invalid.txt', `${A}\n${B}\n`);
    const run = (...args) => room.cli(['import', ...args, '--database', 'a.db']);
    const refused = await run(list);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /keys-main-invalid\.txt, read as gpt-load's list/);
    assert.match(refused.stderr, /--provider/);
    assert.ok(!refused.stderr.includes(A));
    const unknown = await run(list, '--provider', 'opnai');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /did you mean openai/);
    const { code, stdout, stderr } = await run(list, '--provider', 'openai');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^read as: gpt-load's list of keys$/m);
    assert.match(stdout, /^added 2, already known 0, refused 0;/m);
    const keys = await keysOf(room, 'a.db');
    assert.deepEqual(
        keys.map(({ status }) => status),
        ['blocked', 'blocked'],
    );
});

scenario("moving: gemini-balance's .env, and what is left there", async (room) => {
    const env = room.file(
        '.env',
        `API_KEYS=["${A}","${B}"]\nALLOWED_TOKENS=["${C}"]\n` +
            `VERTEX_API_KEYS=["AQ.vertex-key-1234567"]\n`,
    );
    const { code, stdout, stderr } = await room.cli([
        ...['import', env, '--database', 'a.db'],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^read as: gemini-balance's \.env$/m);
    assert.match(stdout, /^added 2, already known 0, refused 1;/m);
    assert.match(stderr, /^left out: ALLOWED_TOKENS, .*AUTH_KEY/m);
    assert.match(stderr, /^refused row 3, .*Vertex/m);
    assert.ok(!stderr.includes(C));
    for (const { provider } of await keysOf(room, 'a.db'))
        assert.equal(provider, 'google-ai-studio');
});

scenario("moving: gpt-load's groups go to the providers at their upstreams", async (room) => {
    const tables = [
        'CREATE TABLE `groups` (id integer PRIMARY KEY, name text, upstreams json);',
        'CREATE TABLE `api_keys` (id integer PRIMARY KEY, key_value text, group_id integer, status text, created_at datetime);',
        `INSERT INTO \`groups\` VALUES (1,'g','[{"url":"https://api.groq.com/openai"}]'),`,
        `(2,'cf','[{"url":"https://gateway.ai.cloudflare.com/v1/acc/gw/google-ai-studio"}]'),`,
        `(3,'mine','[{"url":"http://127.0.0.1:9/v1"}]');`,
        `INSERT INTO api_keys VALUES (1,'${A}',1,'active',NULL),(2,'${B}',2,'active',NULL),(3,'${C}',3,'active',NULL);`,
    ];
    const dump = room.file('gpt-load.sql', tables.join('\n'));
    const config = room.file(
        'mine.jsonc',
        `{"providers":{"mine":{"dialect":"openai","base_url":"http://127.0.0.1:9/v1"}}}`,
    );
    const bare = await room.cli(['import', dump, '--database', 'a.db']);
    assert.equal(bare.code, 0, bare.stderr);
    assert.match(bare.stderr, /refused row 3, .*no provider is at .* 127\.0\.0\.1/);
    const known = await room.cli([
        ...['import', dump, '--database', 'a.db', '--config', config],
    ]);
    assert.match(known.stdout, /^added 1, already known 2, refused 0;/m);
    assert.deepEqual(
        (await keysOf(room, 'a.db')).map(({ provider, remark }) => [provider, remark]),
        [
            ['groq', 'g'],
            ['google-ai-studio', 'cf'],
            ['mine', 'mine'],
        ],
    );
});

scenario('moving: a database under another master key, which stays as it is', async (room) => {
    const from = { ONE_BALANCE_MASTER_KEY: '11'.repeat(32) };
    const to = { ONE_BALANCE_MASTER_KEY: '22'.repeat(32) };
    const add = ['keys', 'add', 'openai', '--priority', '2', '--weight', '9'];
    await room.cli([...add, '--remark', "it's", '--database', 'a.db'], {
        env: from,
        stdin: `${A}\n${B}`,
    });
    await room.cli(['keys', 'block', '2', '--database', 'a.db'], { env: from });
    const database = `${room.dir}/a.db`;
    const hash = () => createHash('sha256').update(readFileSync(database)).digest('hex');
    const before = hash();
    const run = (extra, env = {}) =>
        room.cli(['import', database, '--database', 'b.db', ...extra], {
            env: { ...to, ...env },
        });
    const refused = await run([]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /sealed under another master key/);
    for (const [from, why] of [
        ['env:NOT_SET_HERE', /NOT_SET_HERE is not set/],
        ['11'.repeat(32), /no such file/],
    ]) {
        const wrong = await run(['--master-key', from]);
        assert.equal(wrong.code, 2);
        assert.match(wrong.stderr, why);
        assert.ok(!wrong.stderr.includes('1111'));
    }
    const file = room.file('old.key', `${'11'.repeat(32)}\n`);
    const moved = await run(['--master-key', file]);
    assert.equal(moved.code, 0, moved.stderr);
    assert.match(moved.stdout, /^read as: a database of this program$/m);
    assert.match(moved.stdout, /^added 2,/m);
    const again = await run(['--master-key', 'env:OLD'], { OLD: '11'.repeat(32) });
    assert.match(again.stdout, /already known 2,/);
    assert.equal(hash(), before);
    assert.ok(!existsSync(`${database}-shm`));
    assert.deepEqual(
        await keysOf(room, 'b.db', to),
        await keysOf(room, 'a.db', from),
    );
    const itself = await room.cli(['import', database, '--database', 'a.db'], {
        env: from,
    });
    assert.equal(itself.code, 1);
    assert.match(itself.stderr, /it is the database that/);
});

scenario('moving: to D1 keys go sealed', async (room) => {
    const add = ['keys', 'add', 'openai', '--database', 'a.db'];
    await room.cli([...add, '--remark', "a'b; c"], { stdin: `${A}\n${B}` });
    const { code, stdout, stderr } = await room.cli([
        ...['export', '--format', 'd1', '--database', 'a.db'],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /MASTER_KEY must be the master key.* a\.db\.master\.key$/m);
    assert.match(stderr, /^left out: auth keys/m);
    assert.match(stderr, /^2 keys; next, .*: MASTER_KEY=.* npm run keys -- import /m);
    assert.ok(!stdout.includes(A) && !stdout.includes(B));
    assert.equal(stdout.match(/^INSERT INTO keys .* DO NOTHING;$/gm).length, 2);
    assert.ok(stdout.includes("'a''b; c'"));
    assert.match(stdout, /^INSERT INTO settings .*'master_check', X'01\w{102}'\) ON CONFLICT \(name\) DO NOTHING;$/m);
    assert.match(stdout, /^UPDATE revision SET number = number \+ 1;$/m);
    assert.ok(!/BEGIN|COMMIT/.test(stdout));
    const both = await room.cli([
        ...['export', '--format', 'd1', '--secrets', '--database', 'a.db'],
    ]);
    assert.equal(both.code, 2);
    const back = await room.cli([
        ...['import', room.file('d1.sql', stdout), '--database', 'b.db'],
    ]);
    assert.equal(back.code, 1);
    assert.match(back.stderr, /export --format d1/);
    assert.ok(!existsSync(`${room.dir}/a.db-wal`));
});
