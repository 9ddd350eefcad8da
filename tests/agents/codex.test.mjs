/* Codex, the native binary that npm brings for this machine. */
import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { MCP_ARGS, drives, packaged } from './agents.mjs';

const TRIPLES = {
    x64: 'x86_64-unknown-linux-musl',
    arm64: 'aarch64-unknown-linux-musl',
};
const { path, missing } = packaged(
    `@openai/codex-linux-${process.arch}`,
    `vendor/${TRIPLES[process.arch]}/bin/codex`,
);

/* Without the features that it fetches from elsewhere. */
const config = (url, model) => `
model = "${model}"
model_provider = "one-balance"
check_for_update_on_startup = false

[model_providers.one-balance]
name = "One Balance"
base_url = "${url}/v1"
env_key = "ONE_BALANCE_KEY"
wire_api = "responses"

[mcp_servers.words]
command = "${process.execPath}"
args = ${JSON.stringify(MCP_ARGS)}

[analytics]
enabled = false

[features]
apps = false
plugins = false
`;

drives({
    name: 'Codex',
    missing,
    replays: ['anthropic', 'google-ai-studio'],
    tool: () => ({ name: 'exec_command', args: { cmd: 'cat word.txt' } }),
    mcp: [{ name: 'mcp__words__get_word', args: {} }],
    prepare(room, { url, key, model, prompt }) {
        mkdirSync(join(room.dir, 'codex'));
        room.file('codex/config.toml', config(url, model));
        return {
            command: path,
            args: [
                'exec',
                '--json',
                '--skip-git-repo-check',
                '--dangerously-bypass-approvals-and-sandbox',
                prompt,
            ],
            env: {
                CODEX_HOME: join(room.dir, 'codex'),
                ONE_BALANCE_KEY: key,
            },
        };
    },
    answer(stdout) {
        const events = stdout.trim().split('\n').map(JSON.parse);
        const items = events.map(({ item }) => item ?? {});
        const { usage } = events.find(({ type }) => type === 'turn.completed');
        return {
            text: items.find(({ type }) => type === 'agent_message').text,
            usage: [usage.input_tokens, usage.output_tokens],
        };
    },
});
