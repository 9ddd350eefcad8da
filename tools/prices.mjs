/*
 * prices.mjs - what tokens cost, as a table for the core: prices.mjs DIR OUT
 *
 * DIR holds the npm package @pydantic/genai-prices. Each line of OUT is
 *
 *   @ slug                                   whose prices follow
 *   kind pattern input cached written output [from input cached written output]
 *
 * kind: = the model's whole name, ^ its beginning, * a part, $ its end. Prices
 * are pico-dollars a token, -1 where there is none of its own; the second four
 * count for requests with more tokens of input than `from`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [dir, out] = process.argv.slice(2);
const folder = join(dir, 'node_modules/@pydantic/genai-prices');
const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const { findProvider } = await import(
    pathToFileURL(join(folder, 'dist/index.js')).href
);

/* Ours, and what they are called there; the first that knows a model. */
const PROVIDERS = {
    openai: ['openai'],
    anthropic: ['anthropic'],
    'google-ai-studio': ['google'],
    'google-vertex-ai': ['google', 'anthropic'],
    'azure-openai': ['azure', 'openai'],
    'aws-bedrock': ['aws'],
    'workers-ai': ['cloudflare'],
    groq: ['groq'],
    mistral: ['mistral'],
    deepseek: ['deepseek'],
    grok: ['x-ai'],
    cohere: ['cohere'],
    openrouter: ['openrouter'],
    'perplexity-ai': ['perplexity'],
    cerebras: ['cerebras'],
    baseten: ['baseten'],
};
const MEMBERS = [
    'input_mtok',
    'cache_read_mtok',
    'cache_write_mtok',
    'output_mtok',
];
const KINDS = { equals: '=', starts_with: '^', contains: '*', ends_with: '$' };

/* Of a condition with "and" its first plain part; a regex alone says nothing
 * that a table could hold. */
function patterns(match) {
    if (match.or) return match.or.flatMap(patterns);
    if (match.and) return match.and.map(patterns).find((p) => p.length) ?? [];
    return Object.entries(KINDS)
        .filter(([name]) => match[name] !== undefined)
        .map(([name, kind]) => [kind, match[name]]);
}

/* Of prices that change with time, those that hold now, at no special hour. */
function current(prices) {
    if (!Array.isArray(prices)) return prices;
    const now = new Date().toISOString().slice(0, 10);
    const holds = prices.filter(
        ({ constraint: c }) =>
            !c || (c.start_date !== undefined && c.start_date <= now),
    );
    return (holds.at(-1) ?? prices[0]).prices;
}

const pico = (price) =>
    price === undefined ? -1 : Math.round(Number(price) * 1e6);
const base = (price) => (typeof price === 'object' ? price.base : price);
const tier = (price) => (typeof price === 'object' ? price.tiers[0] : undefined);

function rates(prices) {
    const values = MEMBERS.map((name) => prices[name]);
    const from = values.map(tier).find(Boolean)?.start;
    const first = values.map((value) => pico(base(value)));
    if (from === undefined) return first;
    return [
        ...first,
        from,
        ...values.map((value) => pico(tier(value)?.price ?? base(value))),
    ];
}

const lines = [`# ${about.name} ${about.version}, ${about.license}`];
for (const [slug, theirs] of Object.entries(PROVIDERS)) {
    lines.push(`@ ${slug}`);
    for (const id of theirs) {
        for (const model of findProvider({ providerId: id })?.models ?? []) {
            const numbers = rates(current(model.prices));
            if (numbers[0] < 0 && numbers[3] < 0) continue;
            const found = [['=', model.id], ...patterns(model.match)];
            const seen = new Set();
            for (const [kind, text] of found) {
                if (seen.has(kind + text) || /\s/.test(text) || !text) continue;
                seen.add(kind + text);
                lines.push(`${kind} ${text.toLowerCase()} ${numbers.join(' ')}`);
            }
        }
    }
}
writeFileSync(out, lines.join('\n') + '\n');
