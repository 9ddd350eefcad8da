/*
 * agents.mjs - a command-line agent as npm packages it, without a terminal, in
 * front of the gateway and a provider of each kind: one plain answer, and one
 * for which it has to run a tool.
 *
 * An agent's home, configuration and temporary files are in the test's room.
 * What it sends anywhere but to the loopback goes to a proxy that refuses it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scenario, secret, within } from '../integration/harness.mjs';
import { refusing } from '../integration/mock.mjs';
import { SIGNATURE, USAGE, saying } from '../integration/scripted.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ANSWER = 'The answer is 42.';
const WORD = 'marzipan';
const PLAIN = 'What is the answer?';
const ASKS_FOR_TOOL = 'What is the word in word.txt?';
const RUN_MS = 60000;

/* The arguments with which node is a server of MCP. */
export const MCP_ARGS = [join(HERE, 'words-mcp.mjs'), WORD];

/* The three kinds, and who of them signs the thinking before a call. */
const PROVIDERS = {
    vllm: { model: 'vllm/llama-test', path: '/v1/chat/completions' },
    anthropic: {
        model: 'anthropic/claude-test-1',
        path: '/v1/messages',
        signs: true,
    },
    'google-ai-studio': {
        model: 'google-ai-studio/gemini-2.5-flash',
        path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent',
        signs: true,
    },
};

/* A file of an installed package, or why there is none. */
export function packaged(name, file, nodeMajor = 0) {
    const path = join(HERE, 'node_modules', name, file);
    const major = Number(process.versions.node.split('.')[0]);
    if (major < nodeMajor)
        return { missing: `${name} needs Node ${nodeMajor}` };
    if (!existsSync(path))
        return { missing: `npm has not installed ${name}` };
    return { path };
}

/* Says no to everybody, and keeps what they wanted. */
async function refuser(room) {
    const wanted = [];
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', (bytes) => {
            wanted.push(bytes.toString('latin1').split('\r\n')[0]);
            socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
        });
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    room.cleanups.push(() => server.close());
    return { wanted, url: `http://127.0.0.1:${server.address().port}` };
}

function environment(room, proxy, extra) {
    const directory = (name) => {
        const path = join(room.dir, name);
        mkdirSync(path, { recursive: true });
        return path;
    };
    return {
        PATH: process.env.PATH,
        HOME: directory('home'),
        TMPDIR: directory('tmp'),
        XDG_CONFIG_HOME: directory('home/.config'),
        XDG_CACHE_HOME: directory('home/.cache'),
        XDG_DATA_HOME: directory('home/.local/share'),
        XDG_STATE_HOME: directory('home/.local/state'),
        SHELL: '/bin/sh',
        TERM: 'xterm-256color',
        NO_COLOR: '1',
        HTTP_PROXY: proxy,
        HTTPS_PROXY: proxy,
        http_proxy: proxy,
        https_proxy: proxy,
        NO_PROXY: '127.0.0.1,localhost',
        no_proxy: '127.0.0.1,localhost',
        ...extra,
    };
}

async function run(room, { command, args, env }) {
    const proxy = await refuser(room);
    const child = spawn(command, args, {
        cwd: room.workspace,
        env: environment(room, proxy.url, env),
        stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result = { stdout: '', stderr: '', wanted: proxy.wanted };
    child.stdout.on('data', (text) => (result.stdout += text));
    child.stderr.on('data', (text) => (result.stderr += text));
    const ended = new Promise((done, fail) =>
        child.on('error', fail).on('close', done),
    );
    try {
        result.code = await within(RUN_MS, command, ended);
    } finally {
        child.kill('SIGKILL');
    }
    return result;
}

async function world(room, provider) {
    const compat = await room.mock();
    const { gateway, mock } = await room.world({
        providers: {
            vllm: {
                dialect: 'openai',
                base_url: `${compat.url}/v1`,
                auth: 'bearer',
            },
        },
    });
    await gateway.addKeys(provider, [secret('only')]);
    room.workspace = join(room.dir, 'workspace');
    mkdirSync(room.workspace);
    room.file('workspace/word.txt', `The word is ${WORD}.\n`);
    return { gateway, mock: provider === 'vllm' ? compat : mock };
}

/* Only what asks for the tool is given calls, one a turn. */
function scripted(calls, told) {
    return saying((request, { body }) => {
        told.push(request);
        const call = calls[request.results.length];
        const wanted =
            call &&
            body.includes(ASKS_FOR_TOOL) &&
            request.tools.includes(call.name);
        return wanted
            ? { thinking: 'A tool, then.', calls: [call] }
            : { thinking: 'I know it.', text: ANSWER };
    });
}

/*
 * agent: { name, missing, prepare, answer, tool, mcp, replays }
 *   prepare(room, { url, key, model, prompt }) gives { command, args, env }
 *   answer(stdout) gives { text, usage: [in, out], failed }
 *   tool(room) gives the call that reads word.txt
 *   mcp: the calls that end with the tool of words-mcp.mjs, which prepare()
 *       has set up
 *   replays: it gives signatures of thinking back
 */
async function play(room, agent, provider, prompt, calls) {
    const { gateway, mock } = await world(room, provider);
    const { model, path } = PROVIDERS[provider];
    const told = [];
    mock.otherwise(scripted(calls ?? [agent.tool(room)], told));
    const given = await run(
        room,
        agent.prepare(room, {
            url: gateway.url,
            key: gateway.authKey,
            model,
            prompt,
        }),
    );
    const about = `${given.stdout}\n${given.stderr}`;
    assert.equal(given.code, 0, about);
    assert.deepEqual(given.wanted, [], 'it wants nothing from elsewhere');
    const { text, usage } = agent.answer(given.stdout);
    assert.equal(text, ANSWER, about);
    assert.deepEqual(
        usage,
        USAGE.map((tokens) => tokens * told.length),
    );
    for (const request of mock.requests) assert.equal(request.path, path);
    assert.ok(!mock.heard(gateway.authKey));
    return told;
}

async function usesTools(room, agent, provider, calls) {
    const told = await play(room, agent, provider, ASKS_FOR_TOOL, calls);
    const { results, signatures } = told.at(-1);
    const turns = calls?.length ?? 1;
    assert.equal(told.length, turns + 1);
    assert.equal(results.length, turns);
    assert.match(results.at(-1), new RegExp(WORD));
    if (PROVIDERS[provider].signs && agent.replays.includes(provider))
        assert.deepEqual(signatures, Array(turns).fill(SIGNATURE));
}

export function drives(agent) {
    const options = { timeout: RUN_MS + 20000, skip: agent.missing ?? false };
    for (const provider of Object.keys(PROVIDERS)) {
        const name = `agents: ${agent.name} on ${provider}`;
        scenario(
            `${name}: an answer`,
            async (room) => {
                const told = await play(room, agent, provider, PLAIN);
                assert.equal(told.length, 1);
            },
            options,
        );
        scenario(
            `${name}: a tool`,
            (room) => usesTools(room, agent, provider),
            options,
        );
    }
    scenario(
        `agents: ${agent.name}: a tool of an MCP server`,
        (room) => usesTools(room, agent, 'google-ai-studio', agent.mcp),
        options,
    );
    scenario(
        `agents: ${agent.name}: an error says why`,
        async (room) => {
            const { gateway, mock } = await world(room, 'vllm');
            mock.otherwise(refusing(400, 'The prompt is odd.'));
            const given = await run(
                room,
                agent.prepare(room, {
                    url: gateway.url,
                    key: gateway.authKey,
                    model: PROVIDERS.vllm.model,
                    prompt: PLAIN,
                }),
            );
            assert.notEqual(given.code, 0);
            assert.match(given.stdout + given.stderr, /The prompt is odd\./);
        },
        options,
    );
}
