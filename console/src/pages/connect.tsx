/* How to point programs at this gateway: what to copy, with its address. */
import { useState } from 'preact/hooks';
import { type Word, t } from '../i18n';
import { Copy, Field, Page } from '../ui/parts';

const HOLDER = 'YOUR_AUTH_KEY';

interface Recipe {
    id: string;
    name: string;
    parts: { title: string; text: string }[];
    note?: Word;
}

function recipes(base: string, model: string): Recipe[] {
    const key = HOLDER;
    return [
        {
            id: 'curl',
            name: 'curl',
            parts: [
                {
                    title: 'sh',
                    text: `curl ${base}/v1/chat/completions \\
    -H "Authorization: Bearer ${key}" \\
    -H "Content-Type: application/json" \\
    -d '{"model": "${model}",
         "messages": [{"role": "user", "content": "Hello"}]}'`,
                },
            ],
        },
        {
            id: 'openai',
            name: 'OpenAI SDK',
            parts: [
                {
                    title: 'Python',
                    text: `from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key="${key}")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
                },
                {
                    title: 'JavaScript',
                    text: `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${base}/v1', apiKey: '${key}' });
const answer = await client.chat.completions.create({
    model: '${model}',
    messages: [{ role: 'user', content: 'Hello' }],
});
console.log(answer.choices[0].message.content);`,
                },
            ],
            note: 'connect.openainote',
        },
        {
            id: 'anthropic',
            name: 'Anthropic SDK',
            parts: [
                {
                    title: 'Python',
                    text: `from anthropic import Anthropic

client = Anthropic(base_url="${base}/api/anthropic", api_key="${key}")
message = client.messages.create(
    model="claude-sonnet-4-5",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(message.content[0].text)`,
                },
            ],
        },
        {
            id: 'gemini',
            name: 'Google Gen AI SDK',
            parts: [
                {
                    title: 'Python',
                    text: `from google import genai
from google.genai import types

client = genai.Client(
    api_key="${key}",
    http_options=types.HttpOptions(base_url="${base}/api/google-ai-studio"),
)
answer = client.models.generate_content(
    model="gemini-2.5-flash", contents="Hello"
)
print(answer.text)`,
                },
            ],
        },
        {
            id: 'cherry',
            name: 'Cherry Studio',
            parts: [
                {
                    title: t('connect.cherry'),
                    text: `${t('connect.cherrytype')}: OpenAI
API Host: ${base}
API Key: ${key}
${t('model')}: ${model}`,
                },
            ],
            note: 'connect.cherrynote',
        },
        {
            id: 'claude-code',
            name: 'Claude Code',
            parts: [
                {
                    title: 'sh',
                    text: `export ANTHROPIC_BASE_URL=${base}/api/anthropic
export ANTHROPIC_AUTH_TOKEN=${key}
claude`,
                },
            ],
        },
        {
            id: 'codex',
            name: 'Codex',
            parts: [
                {
                    title: '~/.codex/config.toml',
                    text: `model = "openai/gpt-5"
model_provider = "one-balance"

[model_providers.one-balance]
name = "One Balance"
base_url = "${base}/v1"
env_key = "ONE_BALANCE_KEY"
wire_api = "responses"`,
                },
                { title: 'sh', text: `export ONE_BALANCE_KEY=${key}\ncodex` },
            ],
        },
        {
            id: 'gemini-cli',
            name: 'Gemini CLI',
            parts: [
                {
                    title: 'sh',
                    text: `export GOOGLE_GEMINI_BASE_URL=${base}/api/google-ai-studio
export GEMINI_API_KEY=${key}
gemini`,
                },
            ],
        },
    ];
}

export function ConnectPage() {
    const [base, setBase] = useState(window.location.origin);
    const [model, setModel] = useState('google-ai-studio/gemini-2.5-flash');
    const [chosen, setChosen] = useState('curl');
    const all = recipes(base.replace(/\/+$/, ''), model);
    const recipe = all.find(({ id }) => id === chosen) ?? all[0]!;
    return (
        <Page title={t('nav.connect')}>
            <p class="lead">{t('connect.lead')}</p>
            <section class="panel form" aria-label={t('connect.address')}>
                <Field
                    label={t('connect.address')}
                    hint={t('connect.addresshint')}
                >
                    <input
                        class="mono"
                        value={base}
                        onInput={(event) => setBase(event.currentTarget.value)}
                    />
                </Field>
                <Field label={t('model')} hint={t('play.modelhint')}>
                    <input
                        class="mono"
                        value={model}
                        onInput={(event) => setModel(event.currentTarget.value)}
                    />
                </Field>
            </section>
            <section class="panel flush" aria-label={t('connect.programs')}>
                <div
                    class="tabs"
                    role="group"
                    aria-label={t('connect.programs')}
                >
                    {all.map(({ id, name }) => (
                        <button
                            key={id}
                            type="button"
                            aria-pressed={id === recipe.id}
                            onClick={() => setChosen(id)}
                        >
                            {name}
                        </button>
                    ))}
                </div>
                <div class="snippets">
                    {recipe.parts.map(({ title, text }) => (
                        <div key={title} class="code">
                            <div class="code-head">
                                <span class="muted">{title}</span>
                                <Copy text={text} />
                            </div>
                            <pre tabIndex={0}>{text}</pre>
                        </div>
                    ))}
                    {recipe.note && <p class="hint">{t(recipe.note)}</p>}
                    <p class="hint">
                        {t('connect.keynote', { holder: HOLDER })}
                    </p>
                </div>
            </section>
            <section class="panel" aria-labelledby="routes">
                <div class="panel-head">
                    <h2 id="routes">{t('connect.routes')}</h2>
                </div>
                <dl class="facts">
                    {[
                        [
                            '/v1/chat/completions, /v1/responses, /v1/embeddings, /v1/models',
                            'connect.v1',
                        ],
                        ['/v1/messages', 'connect.messages'],
                        ['/v1beta/models/…', 'connect.beta'],
                        ['/api/<provider>/…', 'connect.native'],
                    ].map(([path, word]) => (
                        <div key={path}>
                            <dt class="mono">{path}</dt>
                            <dd>{t(word as Word)}</dd>
                        </div>
                    ))}
                </dl>
            </section>
        </Page>
    );
}
