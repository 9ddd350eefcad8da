/* Upstreams, disks and processes that fail. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { TEXT } from './dialects.mjs';
import { eventually, scenario, secret, smallDisk, within } from './harness.mjs';
import * as mocks from './mock.mjs';

const { cut, good, headOnly, resetsMidBody, silent, slow, stalls } = mocks;
const [A, B] = ['a', 'b'].map(secret);
const GEMINI = 'google-ai-studio';
/* A kept connection is closed after idle_ms: longer than a call with a silent
 * provider takes, so that none is chosen for the next call just then. */
const QUICK = {
    timeouts: { first_byte_ms: 500, idle_ms: 1500 },
    retry: { trouble_max: 3 },
};

/* Faults that come before anything of the answer has been delivered: another
 * attempt spares the caller. */
const BEFORE = {
    'a reset': [mocks.resets()],
    silence: [silent()],
    'a head and then silence': [headOnly()],
    'a body that is cut': [mocks.truncated()],
    'malformed chunks': [mocks.malformedChunks()],
    'a malformed head': [mocks.malformedHead()],
    'a gigantic head': [mocks.giganticHead()],
    'an empty body': [mocks.emptyBody()],
    'an empty stream': [mocks.emptyStream(), { stream: true }],
    'an error event at the head of a stream': [
        mocks.errorInStream(),
        { stream: true },
    ],
    'a stream that is reset at its head': [resetsMidBody(0), { stream: true }],
};

for (const [name, [behaviour, ask]] of Object.entries(BEFORE)) {
    scenario(`faults: ${name} is not seen by the caller`, async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
            config: QUICK,
        });
        mock.script(A, behaviour);
        for (let i = 0; i < 2; i++) {
            const answer = await gateway.chat(ask);
            assert.equal(answer.status, 200, answer.text);
            assert.ok(
                answer.text.includes(ask?.stream ? '[DONE]' : TEXT),
                answer.text,
            );
        }
        assert.ok(mock.uses(A) >= 1);
        for (const key of await gateway.listKeys())
            assert.deepEqual([key.status, key.cooldowns], ['active', []]);
    });
}

scenario(
    'faults: with nothing left to try, the error is clear and the process stays',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A] },
            config: { ...QUICK, retry: { trouble_max: 1 } },
        });
        for (const [name, [behaviour, ask]] of Object.entries(BEFORE)) {
            mock.script(A, behaviour);
            const answer = await gateway.chat(ask);
            assert.ok(
                answer.status >= 500 || /error/.test(answer.text),
                `${name}: ${answer.status} ${answer.text}`,
            );
            assert.ok(
                !answer.text.includes('[DONE]') && !answer.text.includes(A),
                name,
            );
            if (answer.status >= 500)
                assert.ok(answer.json().error.message, name);
        }
        mock.script(A, good());
        assert.equal((await gateway.chat()).status, 200);
    },
);

/* Answers that are unusual but right. */
const ODD = {
    'a slow first byte': slow(200),
    'a body that ends with the connection': mocks.untilClose(),
    'chunked with trailers': mocks.withTrailers(),
    'interim responses first': mocks.continues(),
    'one byte at a time': mocks.byteByByte(),
    'a kept connection that the upstream leaves': mocks.leavesAfter(),
};

for (const [name, behaviour] of Object.entries(ODD)) {
    scenario(`faults: ${name} is a good answer`, async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A] },
            config: QUICK,
        });
        mock.script(A, behaviour);
        for (let i = 0; i < 5; i++) {
            const answer = await gateway.chat();
            assert.equal(answer.status, 200, answer.text);
            assert.equal(answer.json().choices[0].message.content, TEXT);
            assert.ok(
                !/secret-trailer/.test(JSON.stringify([...answer.headers])),
            );
        }
    });
}

/* Reads a stream with each SDK; gives the text. */
const READERS = {
    openai: async (gateway) => {
        const client = new OpenAI({
            apiKey: gateway.authKey,
            baseURL: `${gateway.url}/api/openai`,
            maxRetries: 0,
        });
        let text = '';
        for await (const chunk of await client.chat.completions.create({
            model: 'gpt-4o',
            messages: [{ role: 'user', content: 'Hello' }],
            stream: true,
        }))
            text += chunk.choices[0].delta.content ?? '';
        return text;
    },
    anthropic: async (gateway) => {
        const client = new Anthropic({
            apiKey: gateway.authKey,
            authToken: null,
            baseURL: `${gateway.url}/api/anthropic`,
            maxRetries: 0,
        });
        let text = '';
        for await (const event of await client.messages.create({
            model: 'claude-test-1',
            max_tokens: 9,
            messages: [{ role: 'user', content: 'Hello' }],
            stream: true,
        }))
            text += event.delta?.text ?? '';
        return text;
    },
    [GEMINI]: async (gateway) => {
        const client = new GoogleGenAI({
            apiKey: gateway.authKey,
            httpOptions: { baseUrl: `${gateway.url}/api/google-ai-studio` },
        });
        let text = '';
        for await (const chunk of await client.models.generateContentStream({
            model: 'gemini-2.5-flash',
            contents: 'Hello',
        }))
            text += chunk.text ?? '';
        return text;
    },
};

for (const [provider, read] of Object.entries(READERS)) {
    for (const [name, behaviour] of Object.entries({
        cut: cut(3),
        reset: resetsMidBody(3),
        stalled: stalls(3),
    })) {
        scenario(
            `faults: a ${name} stream of ${provider} is an error to its SDK`,
            async (room) => {
                const { gateway, mock } = await room.world({
                    keys: { [provider]: [A] },
                    config: QUICK,
                });
                mock.script(A, behaviour);
                await assert.rejects(
                    read(gateway),
                    (error) => error.code !== 'ERR_ASSERTION',
                );
                await within(
                    3000,
                    'leaving the upstream',
                    mock.requests[0].closed,
                );
                assert.equal(
                    mock.requests.length,
                    1,
                    'no second attempt once bytes were delivered',
                );
                mock.script(A, good());
                /* A kept connection of the client's ends at idle_ms too: it
                 * must not be taken while it is being closed. */
                await mocks.sleep(100);
                assert.equal(await read(gateway), TEXT);
            },
        );
    }
}

scenario(
    'faults: an upstream that restarts under load fails no request',
    async (room) => {
        const { gateway, mock } = await room.world({
            keys: { openai: [A, B] },
            config: { retry: { trouble_max: 10 } },
        });
        mock.otherwise(slow(5));
        let done = false;
        let answered = 0;
        const failed = [];
        const worker = async () => {
            while (!done) {
                const answer = await gateway.chat();
                if (answer.status === 200) answered++;
                else failed.push(`${answer.status} ${answer.text}`);
            }
        };
        const workers = Array.from({ length: 8 }, worker);
        for (let i = 0; i < 3; i++) {
            const before = answered;
            await eventually(
                'requests are answered',
                () => answered > before + 50,
            );
            await within(3000, 'stopping the upstream', mock.stop());
            await mock.start(mock.port);
        }
        done = true;
        await within(8000, 'the last answers', Promise.all(workers));
        assert.deepEqual(failed, []);
        for (const key of await gateway.listKeys())
            assert.deepEqual([key.status, key.cooldowns], ['active', []]);
    },
);

scenario(
    'faults: kill -9 after an acknowledged import loses nothing',
    async (room) => {
        const { gateway } = await room.world();
        const keys = Array.from({ length: 900 }, (_, i) => secret(`${i}`));
        assert.equal((await gateway.addKeys('openai', keys)).added, 900);
        await gateway.stop('SIGKILL');
        await gateway.start();
        assert.equal((await gateway.listKeys('provider=openai')).length, 900);
        const { id } = await gateway.key(secret('17'));
        assert.equal(
            (
                await gateway.admin('PATCH', `/keys/${id}`, {
                    status: 'blocked',
                    remark: 'kept',
                })
            ).status,
            200,
        );
        await gateway.stop('SIGKILL');
        await gateway.start();
        const key = await gateway.key(secret('17'));
        assert.deepEqual([key.status, key.remark], ['blocked', 'kept']);
        assert.equal(
            (await gateway.admin('GET', `/keys/${id}/secret`)).text.includes(
                secret('17'),
            ),
            true,
        );
    },
);

scenario('faults: a full disk is told, and requests go on', async (room, t) => {
    const dir = smallDisk(room, 4096);
    if (!dir) return t.skip('no small file system can be mounted here');
    const { gateway } = await room.world({ dir, keys: { openai: [A] } });
    const filler = join(dir, 'filler');
    fillDisk(filler);
    const many = Array.from({ length: 3000 }, (_, i) => secret(`${i}`));
    const refused = await gateway.admin('POST', '/keys', {
        provider: 'anthropic',
        keys: many,
    });
    assert.ok(refused.status >= 500, `${refused.status}`);
    assert.ok(refused.text.length > 0);
    for (let i = 0; i < 5; i++)
        assert.equal((await gateway.chat()).status, 200);
    rmSync(filler);
    await eventually(
        'writing works again',
        async () =>
            (
                await gateway.admin('POST', '/keys', {
                    provider: 'anthropic',
                    keys: [B],
                })
            ).status < 300,
    );
    await gateway.restart();
    assert.ok(await gateway.key(B));
    assert.equal((await gateway.chat()).status, 200);
    return undefined;
});

function fillDisk(path) {
    for (const size of [1 << 16, 1 << 12, 1]) {
        for (;;) {
            const before = existsSync(path) ? statSync(path).size : 0;
            try {
                writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
            } catch {
                break;
            }
            if (statSync(path).size === before) break;
        }
    }
}
