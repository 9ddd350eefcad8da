/* A server of the Model Context Protocol with one tool, which gives the word
 * that its command line names. */
import readline from 'node:readline';

const TOOL = {
    name: 'get_word',
    description: 'Gives the word.',
    inputSchema: { type: 'object', properties: {} },
};
const ANSWERS = {
    initialize: ({ protocolVersion }) => ({
        protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'words', version: '1' },
    }),
    'tools/list': () => ({ tools: [TOOL] }),
    'tools/call': () => ({
        content: [{ type: 'text', text: process.argv[2] }],
    }),
};

readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return; /* a notification */
    const result = ANSWERS[method]?.(params) ?? {};
    console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
});
