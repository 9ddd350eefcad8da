/* Claude Code, the native binary that npm brings for this machine. */
import { join } from 'node:path';
import { MCP_ARGS, drives, packaged } from './agents.mjs';

const { path, missing } = packaged(
    `@anthropic-ai/claude-code-linux-${process.arch}`,
    'claude',
);

const MCP_TOOL = 'mcp__words__get_word';
const MCP = { command: process.execPath, args: MCP_ARGS };

drives({
    name: 'Claude Code',
    missing,
    replays: ['anthropic', 'google-ai-studio'],
    tool: (room) => ({
        name: 'Read',
        args: { file_path: join(room.workspace, 'word.txt') },
    }),
    /* It tells of such tools only when the model has searched for them. */
    mcp: [
        { name: 'ToolSearch', args: { query: `select:${MCP_TOOL}` } },
        { name: MCP_TOOL, args: {} },
    ],
    prepare: (room, { url, key, model, prompt }) => ({
        command: path,
        args: [
            '-p',
            prompt,
            '--output-format',
            'json',
            '--allowedTools',
            `Read,${MCP_TOOL}`,
            '--mcp-config',
            room.file('mcp.json', { mcpServers: { words: MCP } }),
        ],
        env: {
            CLAUDE_CONFIG_DIR: join(room.dir, 'claude'),
            ANTHROPIC_BASE_URL: url,
            ANTHROPIC_AUTH_TOKEN: key,
            ANTHROPIC_MODEL: model,
            ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
            DISABLE_AUTOUPDATER: '1',
            DISABLE_TELEMETRY: '1',
            DISABLE_ERROR_REPORTING: '1',
        },
    }),
    answer(stdout) {
        const { result, usage } = JSON.parse(stdout);
        return {
            text: result,
            usage: [usage.input_tokens, usage.output_tokens],
        };
    },
});
