/* The command line and the process: keys, verdicts, configuration, signals. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { eventually, scenario, secret, within } from './harness.mjs';
import { lockstep } from './mock.mjs';
import { REFUSED_COUNT, REFUSED_KEYS, REFUSED_LINES } from './refused-keys.mjs';
import { connect } from './wire.mjs';

const [A, B, C] = ['a', 'b', 'c'].map(secret);

/* The command line beside a running gateway: same database and config. */
function shell(room, gateway) {
    const env = {
        ONE_BALANCE_DATABASE: gateway.database,
        ONE_BALANCE_CONFIG: gateway.configPath,
    };
    return (args, options = {}) =>
        room.cli(args, { ...options, env: { ...env, ...options.env } });
}

const FOLLOWS_MS = 2500;

scenario('cli: keys are managed while the gateway runs', async (room) => {
    const { gateway } = await room.world();
    const run = shell(room, gateway);
    const added = await run(
        ['keys', 'add', 'openai', '--remark', 'from the shell'],
        { stdin: `${A}\n${B},${C}\n\n${A}\n` },
    );
    assert.equal(added.code, 0, added.stderr);
    assert.match(added.stdout, /^added 3, already known [01], refused 0$/m);
    await eventually(
        'the gateway has the keys',
        async () => (await gateway.listKeys('provider=openai')).length === 3,
        FOLLOWS_MS,
    );
    assert.equal((await gateway.chat()).status, 200);

    const again = await run([
        'keys',
        'add',
        'openai',
        room.file('keys.txt', `${A}\n`),
    ]);
    assert.match(again.stdout, /^added 0, already known 1, refused 0$/m);

    const { id, remark } = await gateway.key(A);
    assert.equal(remark, 'from the shell');
    const statusIs = (status) =>
        eventually(
            `the gateway sees ${status}`,
            async () => (await gateway.key(A)).status === status,
            FOLLOWS_MS,
        );
    assert.equal((await run(['keys', 'block', `${id}`])).code, 0);
    await statusIs('blocked');
    const listed = await run([
        'keys',
        'list',
        'openai',
        '--status',
        'blocked',
        '--json',
    ]);
    assert.ok(
        listed.stdout.includes(A.slice(-4)) &&
            !listed.stdout.includes(B.slice(-4)),
        listed.stdout,
    );
    assert.equal((await run(['keys', 'activate', `${id}`])).code, 0);
    await statusIs('active');
    assert.equal((await run(['keys', 'remove', `${id}`])).code, 0);
    await eventually(
        'the gateway forgets the key',
        async () => (await gateway.listKeys()).length === 2,
        FOLLOWS_MS,
    );

    const list = await run(['keys', 'list']);
    assert.equal(list.code, 0);
    for (const text of [list.stdout, listed.stdout, added.stdout, added.stderr])
        assert.ok(!text.includes(A) && !text.includes(B));
});

scenario('cli: keys are managed while nothing runs', async (room) => {
    const { gateway } = await room.world();
    const run = shell(room, gateway);
    await gateway.stop();
    assert.match(
        (await run(['keys', 'add', 'openai'], { stdin: `${A} \r\n` })).stdout,
        /^added 1, already known 0, refused 0$/m,
    );
    assert.ok((await run(['keys', 'list'])).stdout.includes(A.slice(-4)));
    await gateway.start();
    assert.equal((await gateway.chat()).status, 200);
});

scenario('cli: a key is tested', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    const { id } = await gateway.key(A);
    const tested = await shell(room, gateway)(['keys', 'test', `${id}`]);
    assert.equal(tested.code, 0, tested.stderr);
    assert.equal(mock.uses(A), 1);
});

scenario('cli: verdicts are told line by line', async (room) => {
    const lines = [
        {
            id: 'one',
            provider: 'openai',
            model: 'gpt-4o',
            status: 401,
            headers: {},
            body: '{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}',
        },
        {
            id: 2,
            provider: 'openai',
            model: 'gpt-4o',
            status: 429,
            headers: { 'retry-after': '7' },
            body: '{"error":{"message":"Rate limit reached for gpt-4o","type":"requests","code":"rate_limit_exceeded"}}',
            now: 1764000000,
        },
        { provider: 'openai', status: 503, body: '' },
        {
            provider: 'anthropic',
            status: 400,
            body: '{"type":"error","error":{"type":"invalid_request_error","message":"messages: field required"}}',
        },
    ];
    const { code, stdout } = await room.cli(['verdict'], {
        stdin: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    });
    assert.equal(code, 0);
    const told = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    assert.deepEqual(
        told.map((verdict) => verdict.action),
        ['block', 'cool', 'retry', 'deliver'],
    );
    assert.deepEqual(
        told.map((verdict) => verdict.id),
        ['one', 2, undefined, undefined],
    );
    assert.equal(told[1].scope, 'model');
    assert.equal(told[1].seconds, 7);
    assert.ok(told.every((verdict) => typeof verdict.reason === 'string'));
    assert.notEqual(
        (await room.cli(['verdict'], { stdin: 'not json\n' })).code,
        0,
    );
});

const BROKEN = {
    'an unknown member': [
        '{\n  "timeouts": {\n    "idle_mss": 5\n  }\n}',
        /3/,
        /idle_ms\b/,
    ],
    'an unknown name at the top': ['{\n  "provders": {}\n}', /2/, /providers/],
    'a wrong type': [
        '{\n  "limits": {\n\n    "request_body_bytes_max": "big"\n  }\n}',
        /4/,
        /request_body_bytes_max/,
    ],
    'a bad URL': [
        '{"providers": {\n"openai": {"base_url": "ftp://x"}}}',
        /2/,
        /http/,
    ],
    'an unknown dialect': [
        '{"providers": {\n"mine": {"base_url": "http://x/v1", "dialect": "opena"}}}',
        /2/,
        /openai/,
    ],
    'a number out of range': [
        '{\n"timeouts": {"head_ms": -5}}',
        /2/,
        /head_ms/,
    ],
    'a missing variable': [
        '{\n"cloudflare": {"token": "env:NOT_SET_ANYWHERE"}}',
        /2/,
        /NOT_SET_ANYWHERE/,
    ],
    'no JSON': ['{\n  "limits": \n}', /[23]/, /./],
};

for (const [name, [text, line, hint]] of Object.entries(BROKEN)) {
    scenario(`cli: a configuration with ${name} is refused`, async (room) => {
        const file = room.file('broken.jsonc', text);
        const checked = await room.cli(['config', 'check', file]);
        assert.equal(checked.code, 1, checked.stdout);
        const said = checked.stderr + checked.stdout;
        assert.ok(said.includes('broken.jsonc'), said);
        assert.match(said.replace(file, ''), line);
        assert.match(said.replace(file, ''), hint);
        const served = await room.cli([
            'serve',
            '--config',
            file,
            '--listen',
            '127.0.0.1:0',
            '--database',
            `${room.dir}/x.db`,
        ]);
        assert.ok(served.code === 1 || served.code === 2, `${served.code}`);
        assert.equal(served.stdout, '');
    });
}

scenario('cli: a good configuration is good', async (room) => {
    const file = room.file(
        'good.jsonc',
        '// a comment\n{\n  "timeouts": { "idle_ms": 5000, }, /* another */\n  "models": {"smart": ["openai/gpt-4o"]}\n}\n',
    );
    assert.equal((await room.cli(['config', 'check', file])).code, 0);
    assert.equal(
        (await room.cli(['config', 'check', `${room.dir}/nothing.jsonc`])).code,
        1,
    );
});

scenario(
    'cli: an AUTH_KEY that cannot be understood stops the start',
    async (room) => {
        for (const authKey of [
            'secretive;bad(soon)',
            'secretive=',
            'secretive=opnai',
            'secretive=openai,',
            'secretive;;other',
            'secretive(5',
            '=openai',
            'secretive=openai&',
        ]) {
            const { code, stdout, stderr } = await room.cli(
                [
                    'serve',
                    '--listen',
                    '127.0.0.1:0',
                    '--database',
                    `${room.dir}/x.db`,
                ],
                { authKey },
            );
            assert.ok(code === 1 || code === 2, `${authKey}: ${code}`);
            assert.equal(stdout, '');
            assert.match(stderr, /\d/, `the position: ${stderr}`);
            assert.ok(!stderr.includes('secretive'), stderr);
        }
    },
);

scenario(
    'cli: without AUTH_KEY a key is made, shown once and kept as a hash',
    async (room) => {
        const { gateway } = await room.world({ authKey: null });
        const candidates = gateway.stderr.match(/[\w-]{16,}/g) ?? [];
        let made;
        for (const key of candidates.slice(0, 8))
            if (
                !made &&
                (await gateway.admin('GET', '/keys', undefined, { key }))
                    .status === 200
            )
                made = key;
        assert.ok(made, `no key in: ${gateway.stderr}`);
        await gateway.restart();
        assert.ok(!gateway.stderr.includes(made));
        assert.equal(
            (await gateway.admin('GET', '/keys', undefined, { key: made }))
                .status,
            200,
        );
        await gateway.stop();
        assert.ok(!readFileSync(gateway.database).includes(made));
    },
);

scenario('cli: a simulation says how many keys a load needs', async (room) => {
    const args = ['simulate', '--rate', '40', '--minutes', '10', '--json'];
    const first = await room.cli([...args, '--find']);
    assert.equal(first.code, 0);
    const run = JSON.parse(first.stdout);
    assert.ok(run.keys >= 4 && run.keys <= 8, `${run.keys} keys`);
    assert.ok(run.served >= 0.99 * run.offered);
    assert.equal((await room.cli([...args, '--find'])).stdout, first.stdout);
    const both = await room.cli([...args, '--keys', '2', '--baseline']);
    const [core, baseline] = both.stdout.trim().split('\n').map(JSON.parse);
    assert.equal(core.policy, 'core');
    assert.equal(baseline.policy, 'baseline');
    assert.ok(core.served <= core.possible_max);
});

scenario('cli: help everywhere, and wrong use is 2', async (room) => {
    const commands = [
        '',
        'serve',
        'keys',
        'keys add',
        'keys list',
        'keys set',
        'keys remove',
        'keys block',
        'keys activate',
        'keys test',
        'verdict',
        'demo',
        'simulate',
        'config',
        'config check',
        'import',
        'export',
        'version',
    ];
    for (const command of commands) {
        const { code, stdout } = await room.cli([
            ...command.split(' ').filter(Boolean),
            '--help',
        ]);
        assert.equal(code, 0, command);
        assert.match(stdout, /one-balance/, command);
    }
    for (const args of [
        ['no-such-command'],
        ['keys', 'no-such'],
        ['serve', '--no-such-flag'],
        ['keys', 'add'],
        ['keys', 'remove'],
        ['config', 'check'],
        ['serve', '--threads', 'many'],
        ['serve', '--listen', 'nowhere'],
        ['simulate', 'nowhere'],
        ['simulate', '--load', 'much'],
        ['simulate', '--find'],
        ['simulate', '--tpm', '10'],
    ]) {
        const { code, stdout, stderr } = await room.cli(args);
        assert.equal(code, 2, `${args}: ${code}`);
        assert.equal(stdout, '');
        assert.ok(stderr.length > 0);
    }
    const version = await room.cli(['version']);
    assert.equal(version.code, 0);
    assert.match(version.stdout, /\d+\.\d+\.\d+/);
});

scenario(
    'cli: the key that the first start makes is shown even when it fails',
    async (room) => {
        const { port } = await room.mock();
        const failed = await room.cli(
            ['serve', '--listen', `127.0.0.1:${port}`, '--database', 'test.db'],
            { authKey: null },
        );
        assert.equal(failed.code, 1);
        const key = /^ +(ob-[a-z0-9]{40})$/m.exec(failed.stderr)?.[1];
        assert.ok(key, failed.stderr);
        const second = await room.gateway({ authKey: null });
        assert.ok(!second.stderr.includes('ob-'), 'not made anew');
        const answer = await second.admin('GET', '/keys', undefined, { key });
        assert.equal(answer.status, 200, answer.text);
    },
);

scenario('cli: an address that is taken is told', async (room) => {
    const { gateway } = await room.world();
    const { code, stderr } = await room.cli([
        'serve',
        '--listen',
        `127.0.0.1:${gateway.port}`,
        '--database',
        `${room.dir}/other.db`,
    ]);
    assert.equal(code, 1);
    assert.ok(stderr.includes(`${gateway.port}`), stderr);
});

scenario(
    "cli: One Balance's export is imported, and what is exported comes back",
    async (room) => {
        const columns =
            '("id","key","provider","model_coolings","total_cooling_seconds","status","remark","created_at","updated_at")';
        const row = (id, key, status, remark) =>
            `INSERT INTO "keys" ${columns} VALUES('${id}','${key}','google-ai-studio','{}',120,'${status}','${remark}',1750000000,1750000001);`;
        const dump = [
            'PRAGMA defer_foreign_keys=TRUE;',
            'CREATE TABLE `keys` (`id` text PRIMARY KEY NOT NULL, `key` text NOT NULL, `provider` text NOT NULL, `model_coolings` text, `total_cooling_seconds` integer DEFAULT 0 NOT NULL, `status` text NOT NULL, `remark` text, `created_at` integer NOT NULL, `updated_at` integer NOT NULL);',
            row('1', A, 'active', "it''s; fine"),
            row('2', B, 'blocked', ''),
            row('3', C, 'active', 'three'),
            '',
        ].join('\n');
        const { gateway } = await room.world();
        const run = shell(room, gateway);
        const imported = await run(['import', room.file('dump.sql', dump)]);
        assert.equal(imported.code, 0, imported.stderr);
        await eventually(
            'the gateway has them',
            async () => (await gateway.listKeys()).length === 3,
            FOLLOWS_MS,
        );
        assert.equal((await gateway.key(A)).remark, "it's; fine");
        assert.equal((await gateway.key(B)).status, 'blocked');

        const exported = await run(['export', '--secrets']);
        assert.equal(exported.code, 0, exported.stderr);
        const other = { ONE_BALANCE_DATABASE: `${room.dir}/other.db` };
        const back = await run(
            ['import', room.file('export.txt', exported.stdout)],
            { env: other },
        );
        assert.equal(back.code, 0, back.stderr);
        const list = await run(['keys', 'list'], { env: other });
        for (const key of [A, B, C])
            assert.ok(list.stdout.includes(key.slice(-4)), list.stdout);
    },
);

scenario('cli: key files of every kind of editor', async (room) => {
    const { gateway } = await room.world();
    const run = shell(room, gateway);
    const add = (stdin, ...args) =>
        run(['keys', 'add', 'openai', ...args], { stdin });
    const windows = await add(`\ufeff${A}\r\n${B}\r\n\r\n`);
    assert.match(windows.stdout, /^added 2, .* refused 0$/m);
    const refused = await add(REFUSED_KEYS);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, RegExp(`refused ${REFUSED_COUNT}$`, 'm'));
    assert.equal(refused.stderr, REFUSED_LINES);
    const many = Array.from({ length: 10000 }, (_, i) => `sk-many-${i}-key`);
    const all = room.file('many.txt', many.join('\n'));
    assert.match((await add('', all)).stdout, /^added 10000,/);
    assert.match((await add('', all)).stdout, /already known 10000,/);
    const remark = await add(C, '--remark', 'two\nlines');
    assert.equal(remark.code, 2);
    assert.match(remark.stderr, /control character/);
    const mistyped = await run(['keys', 'list', 'opnai']);
    assert.equal(mistyped.code, 2);
    assert.match(mistyped.stderr, /did you mean openai/);
});

scenario('cli: a database that cannot be used is named', async (room) => {
    room.file('notes.db', 'no database at all '.repeat(100));
    for (const [database, why] of [
        ['notes.db', /notes\.db: .*no SQLite database/],
        ['nowhere/x.db', /nowhere\/x\.db: .*No such file/],
        ['.', /\.: .*not a plain file/],
    ])
        for (const command of [['serve'], ['keys', 'list'], ['export']]) {
            const args = [...command, '--database', database];
            const { code, stdout, stderr } = await room.cli(args);
            assert.equal(code, 1, args.join(' '));
            assert.equal(stdout, '');
            assert.match(stderr, why);
        }
});

scenario('cli: only what fills a database makes one', async (room) => {
    const file = `${room.dir}/new.db`;
    for (const command of [
        ['keys', 'list'],
        ['keys', 'remove', '1'],
        ['keys', 'block', '1'],
        ['keys', 'activate', '1'],
        ['keys', 'test', '1'],
        ['export'],
    ]) {
        const args = [...command, '--database', 'new.db'];
        const { code, stdout, stderr } = await room.cli(args);
        assert.equal(code, 1, args.join(' '));
        assert.equal(stdout, '');
        assert.match(stderr, /^new\.db: there is no database: .*--database/);
        assert.ok(!existsSync(file), args.join(' '));
    }
    const add = ['keys', 'add', 'openai', '--database', 'new.db'];
    const unknown = await room.cli(
        ['keys', 'add', 'opnai', '--database', 'new.db'],
        { stdin: A },
    );
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /^unknown provider "opnai"; did you mean/);
    assert.ok(!existsSync(file));
    const fileless = await room.cli([...add, 'none.txt']);
    assert.equal(fileless.code, 1);
    assert.match(fileless.stderr, /^none\.txt: /);
    assert.ok(!existsSync(file));
    const imported = await room.cli(
        ['import', 'none.sql', '--database', 'new.db'],
    );
    assert.equal(imported.code, 1);
    assert.match(imported.stderr, /^cannot open none\.sql: /);
    assert.ok(!existsSync(file));
    assert.equal((await room.cli(add, { stdin: A })).code, 0);
    assert.ok(existsSync(file));
});

scenario('cli: priority and weight are set, shown, followed and carried', async (room) => {
    const { gateway } = await room.world();
    const run = shell(room, gateway);
    const add = ['keys', 'add', 'openai', '--priority', '2'];
    assert.equal((await run(add, { stdin: A })).code, 0);
    assert.equal(
        (await run(['keys', 'add', 'openai'], { stdin: B })).code,
        0,
    );
    const idOf = async (key) => {
        const { stdout } = await run(['keys', 'list', '--json']);
        return JSON.parse(stdout).keys.find((one) =>
            one.key.endsWith(key.slice(-4)),
        );
    };
    const before = await run(['keys', 'list']);
    assert.match(before.stdout, /PRIORITY {2}WEIGHT/);
    const { id, priority, weight } = await idOf(A);
    assert.deepEqual([priority, weight], [2, 1]);
    const set = ['keys', 'set', `${id}`];
    const done = await run([...set, '--priority', '7', '--weight', '50']);
    assert.equal(done.stdout, 'set 1\n');
    await eventually(
        'the gateway follows',
        async () => {
            const [key] = await gateway.listKeys(`q=${A.slice(-4)}`);
            return key?.priority === 7 && key.weight === 50;
        },
        FOLLOWS_MS,
    );
    for (const wrong of [
        [],
        ['--priority', '8'],
        ['--weight', '0'],
        ['--weight', '1.5'],
        ['--remark', 'a\nb'],
    ])
        assert.equal((await run([...set, ...wrong])).code, 2, wrong.join(' '));
    for (const format of ['csv', 'jsonl']) {
        const text = await run(['export', '--secrets', '--format', format]);
        const env = { ONE_BALANCE_DATABASE: `${room.dir}/${format}.db` };
        const file = room.file(`keys.${format}`, text.stdout);
        assert.equal((await run(['import', file], { env })).code, 0);
        const list = await run(['keys', 'list', '--json'], { env });
        assert.deepEqual(
            JSON.parse(list.stdout).keys.map((key) => [
                key.priority,
                key.weight,
            ]),
            [
                [7, 50],
                [0, 1],
            ],
        );
    }
    const reset = ['--priority', '0', '--weight', '1', '--remark', 'back'];
    assert.equal((await run([...set, ...reset])).code, 0);
    const after = await run(['keys', 'list']);
    assert.ok(!after.stdout.includes('PRIORITY'), after.stdout);
    assert.match(after.stdout, /back/);
});

scenario('cli: CSV runs no formula and comes back', async (room) => {
    const remark = '=HYPERLINK("http://127.0.0.1/")';
    const add = ['keys', 'add', 'openai', '--remark', remark];
    assert.equal(
        (await room.cli([...add, '--database', 'a.db'], { stdin: A })).code,
        0,
    );
    const csv = await room.cli([
        ...['export', '--format', 'csv', '--secrets', '--database', 'a.db'],
    ]);
    assert.ok(
        csv.stdout.includes(`,"'=HYPERLINK(""http://127.0.0.1/"")",`),
        csv.stdout,
    );
    const file = room.file('keys.csv', csv.stdout);
    assert.equal(
        (await room.cli(['import', file, '--database', 'b.db'])).code,
        0,
    );
    const list = await room.cli(['keys', 'list', '--json', '--database', 'b.db']);
    assert.equal(JSON.parse(list.stdout).keys[0].remark, remark);
});

scenario('cli: a start with expired auth keys alone is told', async (room) => {
    const authKey = 'auth-old-0000(1000000000);auth-older-0000(999999999)=openai';
    const gateway = await room.gateway({ authKey });
    assert.match(gateway.stderr, /every key of AUTH_KEY has expired/);
    assert.match(gateway.stderr, /key-1 expired at 2001-09-09 01:46:40 UTC/);
    assert.match(gateway.stderr, /key-2 expired at 2001-09-09 01:46:39 UTC/);
    assert.ok(!gateway.stderr.includes('auth-old'));
    const other = await room.gateway({ authKey: `${authKey};auth-new-0000` });
    assert.ok(!other.stderr.includes('expired'), other.stderr);
});

scenario('cli: a database deleted under the gateway is told', async (room) => {
    const { gateway } = await room.world({ keys: { openai: [A] } });
    renameSync(gateway.database, `${gateway.database}.aside`);
    const refused = await gateway.admin('POST', '/keys', {
        provider: 'openai',
        keys: [B],
    });
    assert.equal(refused.status, 503, 'what would be lost is not acknowledged');
    assert.match(refused.body.error.message, /deleted or replaced/);
    assert.equal((await gateway.chat()).status, 200, 'callers are served');
    renameSync(`${gateway.database}.aside`, gateway.database);
    await gateway.addKeys('openai', [B]);
});

scenario('cli: SIGTERM lets a running stream finish', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A] },
        config: { timeouts: { drain_ms: 8000 } },
    });
    const { behaviour, step } = lockstep();
    mock.script(A, behaviour);
    const idle = await connect(gateway.port);
    const answer = await fetch(`${gateway.url}/api/openai/chat/completions`, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${gateway.authKey}`,
            'content-type': 'application/json',
        },
        body: JSON.stringify({
            model: 'gpt-4o',
            stream: true,
            messages: [{ role: 'user', content: 'Hello' }],
        }),
    });
    const reader = answer.body.getReader();
    let text = Buffer.from((await reader.read()).value).toString();
    gateway.signal('SIGTERM');
    const refused = (other) => other.close() ?? false;
    await eventually('no new connections', () =>
        connect(gateway.port).then(refused, () => true),
    );
    for (;;) {
        step();
        const { done, value } = await reader.read();
        if (done) break;
        text += Buffer.from(value).toString();
    }
    await within(3000, 'closing the idle connection', idle.closed());
    assert.match(text, /\[DONE\]/);
    assert.deepEqual(await within(3000, 'the end', gateway.ended), {
        code: 0,
        signal: null,
    });
});

scenario('cli: what still runs after drain_ms is cut', async (room) => {
    const { gateway, mock } = await room.world({
        keys: { openai: [A] },
        config: { timeouts: { drain_ms: 500 } },
    });
    mock.script(A, lockstep().behaviour);
    const answer = gateway.chat({ stream: true });
    answer.catch(() => {});
    await eventually('the stream runs', () => mock.requests[0]);
    assert.deepEqual(await gateway.stop('SIGINT'), { code: 0, signal: null });
    await assert.rejects(answer, 'a cut is no end');
});

scenario('cli: SIGHUP reloads, and refuses what is broken', async (room) => {
    const { gateway, mock } = await room.world({ keys: { openai: [A] } });
    const other = await room.mock();
    const { config } = gateway;
    gateway.writeConfig({
        ...config,
        providers: {
            ...config.providers,
            openai: { base_url: `${other.url}/v1` },
        },
    });
    gateway.signal('SIGHUP');
    await eventually('the new upstream is used', async () => {
        assert.equal((await gateway.chat()).status, 200);
        return other.requests.length > 0;
    });
    const smaller = { request_body_bytes_max: 1024 };
    gateway.writeConfig({
        ...gateway.config,
        listen: '127.0.0.1:1',
        database: 'another.db',
        limits: smaller,
    });
    gateway.signal('SIGHUP');
    const user = 'u'.repeat(2000);
    await eventually(
        'the new limit holds on both loops',
        async () =>
            (await gateway.chat({ user })).status === 413 &&
            (await gateway.chat({ user }, { headers: { connection: 'close' } }))
                .status === 413,
    );
    const said = gateway.stderr.length;
    room.file('config-0.jsonc', '{ "timeuts": {} }');
    gateway.signal('SIGHUP');
    await eventually('the reason is told', () =>
        /timeouts/.test(gateway.stderr.slice(said)),
    );
    const before = other.requests.length;
    assert.equal((await gateway.chat()).status, 200);
    assert.equal(other.requests.length, before + 1);
});
