/* Gemini CLI. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MCP_ARGS, drives, packaged } from './agents.mjs';

const { path, missing } = packaged(
    '@google/gemini-cli',
    'bundle/gemini.js',
    20,
);

/* With GOOGLE_GEMINI_BASE_URL it would take another kind of login. */
const SETTINGS = {
    security: { auth: { selectedType: 'gemini-api-key' } },
    general: { enableAutoUpdate: false, enableAutoUpdateNotification: false },
    mcpServers: { words: { command: process.execPath, args: MCP_ARGS } },
    privacy: { usageStatisticsEnabled: false },
};

drives({
    name: 'Gemini CLI',
    missing,
    /* It forgets thoughts, and with them Anthropic's signatures. */
    replays: ['google-ai-studio'],
    tool: (room) => ({
        name: 'read_file',
        args: { file_path: join(room.workspace, 'word.txt') },
    }),
    mcp: [{ name: 'mcp_words_get_word', args: {} }],
    prepare(room, { url, key, model, prompt }) {
        mkdirSync(join(room.dir, 'gemini/.gemini'), { recursive: true });
        room.file('gemini/.gemini/settings.json', SETTINGS);
        return {
            command: process.execPath,
            args: [
                path,
                '-m',
                model,
                '-p',
                prompt,
                '--output-format',
                'json',
                '--approval-mode',
                'yolo',
            ],
            env: {
                GEMINI_CLI_HOME: join(room.dir, 'gemini'),
                GEMINI_API_KEY: key,
                GEMINI_CLI_NO_RELAUNCH: 'true',
                GEMINI_CLI_TRUST_WORKSPACE: 'true',
                GEMINI_TELEMETRY_ENABLED: 'false',
                GOOGLE_GEMINI_BASE_URL: url,
            },
        };
    },
    answer(stdout) {
        const { response, stats } = JSON.parse(stdout);
        const [{ tokens }] = Object.values(stats.models);
        return { text: response, usage: [tokens.prompt, tokens.candidates] };
    },
});
