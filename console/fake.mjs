/*
 * fake.mjs - what the admin API answers, made up: providers, a hundred thousand
 * keys, a log. For working on the console and for tests in a browser; equal
 * seeds give equal data.
 */
const NAMES = [
    ['openai', 'OpenAI', 'openai', 'https://api.openai.com/v1'],
    ['anthropic', 'Anthropic', 'anthropic', 'https://api.anthropic.com'],
    [
        'google-ai-studio',
        'Google AI Studio',
        'gemini',
        'https://generativelanguage.googleapis.com',
    ],
    ['groq', 'Groq', 'openai', 'https://api.groq.com/openai/v1'],
    ['mistral', 'Mistral', 'openai', 'https://api.mistral.ai/v1'],
    ['deepseek', 'DeepSeek', 'openai', 'https://api.deepseek.com'],
    ['openrouter', 'OpenRouter', 'openai', 'https://openrouter.ai/api/v1'],
    [
        'azure-openai',
        'Azure OpenAI',
        'openai',
        'https://{resource}.openai.azure.com',
    ],
    ['grok', 'xAI Grok', 'openai', 'https://api.x.ai/v1'],
    ['elevenlabs', 'ElevenLabs', 'none', 'https://api.elevenlabs.io'],
];
const MODELS = {
    openai: ['gpt-5', 'gpt-5-mini', 'text-embedding-3-small'],
    anthropic: ['claude-sonnet-4-5', 'claude-haiku-4-5'],
    'google-ai-studio': ['gemini-2.5-pro', 'gemini-2.5-flash'],
    groq: ['llama-3.3-70b-versatile'],
    mistral: ['mistral-large-latest'],
    deepseek: ['deepseek-chat'],
    openrouter: ['meta-llama/llama-3.3-70b-instruct'],
};
const SHARES = [
    ['google-ai-studio', 0.62],
    ['openai', 0.18],
    ['anthropic', 0.08],
    ['groq', 0.06],
    ['openrouter', 0.04],
    ['mistral', 0.02],
];
const HOSTILE = '<img src=x onerror=alert(1)>';
const TROUBLES = [
    [
        'cool',
        'minute_quota',
        429,
        'Resource has been exhausted (e.g. check quota): GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
    ],
    ['cool', 'rate_limit', 429, 'Rate limit reached for requests'],
    [
        'cool',
        'day_quota',
        429,
        'You exceeded your current quota: GenerateRequestsPerDayPerProjectPerModel-FreeTier',
    ],
    [
        'exhausted',
        'credit',
        429,
        'You exceeded your current quota, please check your plan and billing details.',
    ],
    ['deny_model', 'deny_model', 404, 'Project does not have access to model'],
    [
        'block',
        'key_revoked',
        401,
        'This API key has been reported as leaked. Please use another API key.',
    ],
    [
        'block',
        'key_invalid',
        400,
        'API key not valid. Please pass a valid API key.',
    ],
    [
        'retry',
        'overloaded',
        503,
        'The model is overloaded. Please try again later.',
    ],
];

/* Mulberry32. */
function dice(seed) {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), 1 | a);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

const mask = (secret) => `${secret.slice(0, 4)}…${secret.slice(-4)}`;

export class Fake {
    constructor({
        keys = 100000,
        now = Date.now(),
        log = true,
        hostile = true,
    } = {}) {
        this.now = now;
        this.log = log;
        this.hostile = hostile;
        this.roll = dice(7);
        this.keys = new Map();
        this.secrets = new Map();
        this.next = 1;
        this.listeners = new Set();
        this.audit = [];
        this.fill(keys);
        this.makeLog(400);
        this.makeChanges(60);
        this.makeAuthKeys();
    }

    pick(list) {
        return list[Math.floor(this.roll() * list.length)];
    }

    letters(n) {
        const from =
            'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
        let text = '';
        for (let i = 0; i < n; i++)
            text += from[Math.floor(this.roll() * from.length)];
        return text;
    }

    fill(n) {
        const prefix = {
            openai: 'sk-proj-',
            anthropic: 'sk-ant-',
            'google-ai-studio': 'AIzaSy',
            groq: 'gsk_',
        };
        for (const [provider, part] of SHARES)
            for (let i = 0; i < Math.round(n * part); i++)
                this.put(
                    provider,
                    (prefix[provider] ?? 'sk-') + this.letters(24),
                    true,
                );
    }

    put(provider, secret, old = false) {
        const now = Math.floor(this.now / 1000);
        const id = this.next++;
        const draw = old ? this.roll() : 1;
        const status =
            draw < 0.06 ? 'blocked' : draw < 0.2 ? 'cooling' : 'active';
        const key = {
            id,
            provider,
            key: mask(secret),
            status,
            remark: old ? this.remark(id) : '',
            priority: old && this.roll() < 0.02 ? 1 : 0,
            weight: old && this.roll() < 0.02 ? 3 : 1,
            created_at: now - (old ? 86400 * 90 - id * 60 : 0),
            last_used_at:
                old && this.roll() < 0.85
                    ? now - Math.floor(this.roll() * 40000)
                    : null,
            blocked_reason:
                status === 'blocked'
                    ? this.pick(['key_revoked', 'key_invalid', 'by_hand'])
                    : null,
            cooldowns: status === 'cooling' ? this.rests(provider) : [],
            total_cooling_seconds:
                status === 'active' && this.roll() < 0.5
                    ? 0
                    : Math.floor(this.roll() * 90000),
            requests: old ? Math.floor(this.roll() * 900) : 0,
            failures: 0,
        };
        key.failures = Math.floor(key.requests * this.roll() * 0.1);
        this.keys.set(id, key);
        this.secrets.set(secret, id);
        key.secret = secret;
        return key;
    }

    remark(id) {
        if (this.hostile && id === 3) return HOSTILE;
        return this.roll() < 0.3
            ? this.pick([
                  'team A',
                  'free tier',
                  'account 12',
                  'bought in May',
                  '测试账号',
                  'backup',
              ])
            : '';
    }

    rests(provider) {
        const now = Math.floor(this.now / 1000);
        const models = MODELS[provider] ?? [null];
        return models
            .slice(0, 1 + Math.floor(this.roll() * models.length))
            .map((model) => ({
                model: this.roll() < 0.2 ? null : model,
                until: now + 30 + Math.floor(this.roll() * 40000),
                reason: this.pick(['minute_quota', 'day_quota', 'rate_limit']),
            }));
    }

    someKey(provider) {
        /* A provider's ids lie side by side. */
        let first = 1;
        const n = this.next - 1;
        for (const [name, part] of SHARES) {
            const size = Math.max(1, Math.round(n * part));
            if (name === provider)
                return (
                    this.keys.get(first + Math.floor(this.roll() * size)) ??
                    null
                );
            first += size;
        }
        return null;
    }

    makeRequest(atMs) {
        const provider = this.pick([
            'google-ai-studio',
            'google-ai-studio',
            'openai',
            'openai',
            'anthropic',
            'groq',
        ]);
        const model = this.pick(MODELS[provider]);
        const key = this.someKey(provider);
        const fails = this.roll() < 0.05;
        const tries = this.roll() < 0.2 ? 2 + Math.floor(this.roll() * 2) : 1;
        const first = 180 + Math.floor(this.roll() ** 3 * 4000);
        const total = first + Math.floor(this.roll() * 5000);
        const input = 200 + Math.floor(this.roll() * 9000);
        const output = Math.floor(this.roll() * 1500);
        const n = this.requests.length + 1;
        const shown = key && { id: key.id, key: key.key };
        const attempts = [];
        let began = this.roll() < 0.05 ? 900 : 0;
        const waited = began;
        for (let i = 0; i < tries; i++) {
            const last = i === tries - 1;
            const trouble = this.pick(TROUBLES);
            const other = last ? shown : this.someKey(provider);
            const took = last
                ? Math.max(60, total - began)
                : 80 + Math.floor(this.roll() * 300);
            attempts.push({
                provider,
                model,
                key: other && { id: other.id, key: other.key },
                began_ms: began,
                took_ms: took,
                status: last && !fails ? 200 : trouble[2],
                verdict: last && !fails ? 'deliver' : trouble[0],
                reason: last && !fails ? 'ok' : trouble[1],
                words: last && !fails ? null : trouble[3],
            });
            began += took + 5;
        }
        return {
            id: String(n),
            request_id: `req_${this.letters(20)}`,
            at_ms: atMs,
            auth_key: this.pick(['key-1', 'web app', 'claude-code', 'batch']),
            route: this.pick([
                'openai chat',
                'openai chat',
                'anthropic messages',
                'gemini generate',
            ]),
            provider,
            model_asked: this.hostile && n % 97 === 0 ? HOSTILE : model,
            model: fails ? null : model,
            key: shown,
            status: fails ? this.pick([429, 503, 400]) : 200,
            error: fails
                ? this.pick([
                      'rate_limit',
                      'overloaded',
                      'bad_request',
                      'no_room',
                  ])
                : null,
            stream: this.roll() < 0.6,
            attempts: tries,
            first_byte_ms: fails ? null : first,
            total_ms: Math.max(total, began),
            waited_ms: waited,
            tokens: fails
                ? null
                : {
                      input,
                      output,
                      cached: Math.floor(input * this.roll() * 0.6),
                      reasoning: 0,
                  },
            cost_usd: fails ? null : (input * 0.3 + output * 2.5) / 1e6,
            bytes_in: input * 4,
            bytes_out: output * 5,
            metadata:
                n % 5 === 0
                    ? { user: 'u-17', job: this.hostile ? HOSTILE : 'nightly' }
                    : null,
            detail: attempts,
        };
    }

    makeLog(n) {
        this.requests = [];
        for (let i = n; i > 0; i--)
            this.requests.unshift(
                this.makeRequest(
                    this.now - i * 4000 - Math.floor(this.roll() * 3000),
                ),
            );
    }

    makeChanges(n) {
        this.changes = [];
        for (let i = 0; i < n; i++) {
            const [action, reason, status, words] = this.pick(TROUBLES);
            const provider = this.pick([
                'google-ai-studio',
                'openai',
                'anthropic',
            ]);
            const key = this.someKey(provider);
            const now = Math.floor(this.now / 1000);
            this.changes.push({
                id: String(n - i),
                at_ms: this.now - i * 47000,
                key: key && { id: key.id, key: key.key, provider },
                action,
                reason,
                status,
                model: action === 'block' ? null : this.pick(MODELS[provider]),
                until: action === 'block' ? null : now + 60 + i * 30,
                words: this.hostile && i === 4 ? HOSTILE : words,
                request_id: `req_${this.letters(20)}`,
            });
        }
    }

    makeAuthKeys() {
        const now = Math.floor(this.now / 1000);
        const none = {
            requests_minute: null,
            tokens_minute: null,
            usd_day: null,
            usd_month: null,
        };
        const key = (id, name, from, more = {}) => ({
            id,
            name,
            from,
            prefix: from === 'environment' ? null : 'ob-7k…q2xd',
            permissions: [],
            expires_at: null,
            created_at: now - 9e6,
            last_used_at: now - 40,
            limits: { ...none },
            used: {
                requests_minute: 3,
                tokens_minute: 9000,
                usd_day: 0.4,
                usd_month: 5.1,
            },
            revoked: false,
            ...more,
        });
        this.authKeys = [
            key(null, 'key-1', 'environment'),
            key(1, 'web app', 'console', {
                permissions: [
                    { provider: 'openai', models: ['gpt-5', 'gpt-5-mini'] },
                    { provider: 'anthropic', models: null },
                ],
                limits: {
                    requests_minute: 60,
                    tokens_minute: 200000,
                    usd_day: 5,
                    usd_month: null,
                },
                used: {
                    requests_minute: 51,
                    tokens_minute: 40210,
                    usd_day: 5.2,
                    usd_month: 31,
                },
            }),
            key(2, 'claude-code', 'console', {
                permissions: [{ provider: 'anthropic', models: null }],
                expires_at: now + 86400 * 40,
            }),
            key(3, 'old laptop', 'console', {
                revoked: true,
                last_used_at: now - 4e6,
            }),
        ];
    }

    /* ---- answers ---- */

    providers() {
        const sums = new Map(
            NAMES.map(([id]) => [id, { active: 0, cooling: 0, blocked: 0 }]),
        );
        const why = new Map(NAMES.map(([id]) => [id, new Map()]));
        for (const key of this.keys.values()) {
            sums.get(key.provider)[key.status]++;
            if (key.status === 'active') continue;
            const reason = key.blocked_reason ?? key.cooldowns[0].reason;
            const own = why.get(key.provider);
            const name = `${key.status} ${reason}`;
            const keys = (own.get(name)?.keys ?? 0) + 1;
            own.set(name, { status: key.status, reason, keys });
        }
        return NAMES.map(([id, name, dialect, base_url]) => ({
            id,
            name,
            dialect,
            base_url,
            keys: sums.get(id),
            why: [...why.get(id).values()],
        }));
    }

    shown(key) {
        const { secret, ...rest } = key;
        return rest;
    }

    matching({ provider = '', status = '', q = '' }) {
        const wanted = q.toLowerCase();
        const found = [];
        for (const key of this.keys.values())
            if (
                (!provider || key.provider === provider) &&
                (!status || key.status === status) &&
                (!q ||
                    key.remark.toLowerCase().includes(wanted) ||
                    key.secret === q)
            )
                found.push(key);
        return found;
    }

    list(query) {
        const {
            sort = 'created_at',
            order = 'asc',
            page = '1',
            page_size = '100',
        } = query;
        const sign = order === 'desc' ? -1 : 1;
        const found = this.matching(query).sort(
            (a, b) => sign * ((a[sort] ?? 0) - (b[sort] ?? 0) || a.id - b.id),
        );
        const from = (Number(page) - 1) * Number(page_size);
        return {
            total: found.length,
            keys: found
                .slice(from, from + Number(page_size))
                .map((key) => this.shown(key)),
        };
    }

    split(keys) {
        const text = Array.isArray(keys) ? keys.join('\n') : keys;
        return text
            .split(/[\r\n,]+/)
            .map((key) => key.trim())
            .filter(Boolean);
    }

    refusal(secret) {
        if (secret.length < 8) return 'a key has at least 8 characters';
        return /\s/.test(secret) ? 'a key has no blanks inside' : null;
    }

    preview({ keys }) {
        const seen = new Set();
        const answer = {
            new: 0,
            known: 0,
            twice: 0,
            refused: [],
            refused_total: 0,
        };
        for (const secret of this.split(keys)) {
            const why = this.refusal(secret);
            if (why) {
                answer.refused_total++;
                if (answer.refused.length < 1000)
                    answer.refused.push({ key: mask(secret), why });
            } else if (seen.has(secret)) answer.twice++;
            else if (this.secrets.has(secret)) answer.known++;
            else answer.new++;
            seen.add(secret);
        }
        return answer;
    }

    add({ provider, keys, remark = '', priority = 0, weight = 1 }) {
        const answer = { added: 0, known: 0, refused: [] };
        for (const secret of this.split(keys)) {
            const why = this.refusal(secret);
            if (why) answer.refused.push({ key: mask(secret), why });
            else if (this.secrets.has(secret)) answer.known++;
            else {
                Object.assign(this.put(provider, secret), {
                    remark,
                    priority,
                    weight,
                });
                answer.added++;
            }
        }
        return answer;
    }

    patch(id, change) {
        const key = this.keys.get(id);
        if (!key) return null;
        if (change.status) this.setStatus(key, change.status);
        for (const name of ['remark', 'priority', 'weight'])
            if (change[name] !== undefined) key[name] = change[name];
        if (change.cooldowns) {
            key.cooldowns = change.cooldowns;
            if (key.status === 'cooling' && !key.cooldowns.length)
                key.status = 'active';
        }
        return this.shown(key);
    }

    setStatus(key, status) {
        key.status = status;
        key.cooldowns = status === 'active' ? [] : key.cooldowns;
        key.blocked_reason = status === 'blocked' ? 'by_hand' : null;
    }

    remove(ids) {
        let removed = 0;
        for (const id of ids) {
            const key = this.keys.get(id);
            if (!key) continue;
            this.keys.delete(id);
            this.secrets.delete(key.secret);
            removed++;
        }
        return { removed };
    }

    bulk({ ids, filter, act, value }) {
        const all = ids ?? this.matching(filter).map(({ id }) => id);
        if (act === 'remove')
            return { changed: this.remove(all).removed, missing: 0 };
        let changed = 0;
        for (const id of all) {
            const change =
                act === 'block'
                    ? { status: 'blocked' }
                    : act === 'activate'
                      ? { status: 'active' }
                      : { [act]: value };
            if (this.patch(id, change)) changed++;
        }
        return { changed, missing: all.length - changed };
    }

    detail(id) {
        const key = this.keys.get(id);
        if (!key) return null;
        const models = MODELS[key.provider] ?? [];
        return {
            ...this.shown(key),
            quotas: models.map((model, at) => ({
                model,
                requests_minute: { used: 3 + at * 4, limit: 10, told: true },
                tokens_minute: { used: 41000, limit: 250000, told: true },
                requests_day: {
                    used: 180 + at * 70,
                    limit: at ? null : 250,
                    told: false,
                },
                tokens_day: null,
                room_at_ms: at ? this.now + 90000 : null,
                shares_with: at ? [2, 3] : [],
            })),
            evidence: this.changes.slice(0, 4).map((change) => ({
                ...change,
                key: { id, key: key.key, provider: key.provider },
            })),
        };
    }

    logList(query) {
        const limit = Number(query.limit ?? 50);
        const is = (name, ...values) =>
            !query[name] ||
            values.some((value) => String(value ?? '') === query[name]);
        const found = this.requests.filter(
            (r) =>
                is('provider', r.provider) &&
                is('model', r.model, r.model_asked) &&
                is('key', r.key?.id) &&
                is('auth_key', r.auth_key) &&
                is('error', r.error) &&
                is('status', r.status, `${Math.floor(r.status / 100)}xx`) &&
                (!query.verdict ||
                    r.detail.some(
                        ({ verdict }) => verdict === query.verdict,
                    )) &&
                (!query.q ||
                    r.request_id === query.q ||
                    JSON.stringify(r.metadata ?? '').includes(query.q)) &&
                (!query.since || r.at_ms >= Number(query.since) * 1000) &&
                (!query.before || Number(r.id) < Number(query.before)),
        );
        found.sort((a, b) => Number(b.id) - Number(a.id));
        const page = found.slice(0, limit);
        return {
            requests: page.map(({ detail, ...rest }) => rest),
            next: found.length > limit ? page.at(-1).id : null,
            newest: page[0]?.id ?? null,
        };
    }

    logOne(id) {
        const request = this.requests.find((r) => r.id === id);
        if (!request) return null;
        const { detail, ...rest } = request;
        return {
            ...rest,
            attempts: detail,
            request_body: JSON.stringify(
                {
                    model: rest.model_asked,
                    messages: [{ role: 'user', content: 'Hello <b>there</b>' }],
                },
                null,
                2,
            ),
            response_body: null,
        };
    }

    stats({ since, by = 'hour', group = 'none', provider }) {
        const step = { minute: 60, hour: 3600, day: 86400 }[by] ?? 3600;
        const to = Math.floor(this.now / 1000);
        const from = Math.floor(Number(since ?? to - 86400) / step) * step;
        const names = {
            none: [null],
            provider: ['google-ai-studio', 'openai', 'anthropic', 'groq'],
            model: [
                'gemini-2.5-flash',
                'gpt-5',
                'claude-sonnet-4-5',
                'gemini-2.5-pro',
                ...(this.hostile ? [HOSTILE] : []),
            ],
            key: ['AIza…9fQx', 'sk-p…wxyz', 'sk-a…77bb'],
            auth_key: ['key-1', 'web app', 'claude-code', 'batch'],
        }[group];
        const roll = dice(since ? 11 : 12);
        const series = names.map((name, at) => {
            const points = [];
            for (let t = from; t < to; t += step)
                points.push(
                    this.point(t, step, (provider ? 0.3 : 1) / (at + 1), roll),
                );
            /* Times without requests are left out; here some in the night. */
            return {
                group: name,
                points: points.filter((_, i) => i < 3 || i > 5),
                total: this.sum(points),
            };
        });
        return {
            by,
            from,
            to,
            series,
            errors: [
                ['minute_quota', 212],
                ['overloaded', 64],
                ['rate_limit', 41],
                ['no_room', 12],
                ['bad_request', 9],
                ['timeout', 2],
            ].map(([error, count]) => ({ error, count })),
            verdicts: [
                ['deliver', 48211],
                ['cool', 1204],
                ['retry', 311],
                ['exhausted', 40],
                ['block', 14],
                ['deny_model', 6],
            ].map(([verdict, count]) => ({ verdict, count })),
        };
    }

    point(at, step, part, roll) {
        const day =
            0.55 + 0.45 * Math.sin(((at % 86400) / 86400) * 2 * Math.PI - 1.7);
        const requests = Math.round(
            step * 0.9 * day * part * (0.85 + 0.3 * roll()),
        );
        const errors = Math.round(requests * 0.01 * roll() ** 2 * 4);
        const tokens = requests * 2400;
        return {
            at,
            requests,
            ok: requests - errors,
            errors,
            attempts: Math.round(requests * 1.06),
            tokens_in: tokens,
            tokens_out: Math.round(tokens * 0.2),
            tokens_cached: Math.round(tokens * 0.4),
            tokens_reasoning: 0,
            cost_usd: tokens * 6e-7,
            first_byte_ms_p50: 380 + Math.round(60 * roll()),
            first_byte_ms_p95: 1400 + Math.round(500 * roll()),
            total_ms_p50: 2100 + Math.round(300 * roll()),
            total_ms_p95: 6800 + Math.round(1500 * roll()),
        };
    }

    sum(points) {
        const total = { ...points[0] };
        delete total.at;
        for (const name of Object.keys(total))
            if (!name.includes('_ms_'))
                total[name] = points.reduce(
                    (sum, point) => sum + point[name],
                    0,
                );
        return total;
    }

    models() {
        return {
            models: [
                {
                    name: 'smart',
                    entries: [
                        {
                            provider: 'google-ai-studio',
                            model: 'gemini-2.5-pro',
                        },
                        { provider: 'anthropic', model: 'claude-sonnet-4-5' },
                    ],
                },
                {
                    name: 'fast',
                    entries: [
                        { provider: 'groq', model: 'llama-3.3-70b-versatile' },
                        {
                            provider: 'google-ai-studio',
                            model: 'gemini-2.5-flash',
                        },
                    ],
                },
            ],
            in_use: [
                ...Object.entries(MODELS)
                    .slice(0, 4)
                    .flatMap(([provider, list], at) =>
                        list.map((model, i) => ({
                            provider,
                            model,
                            requests_today: 9000 - at * 1900 - i * 700,
                            ready: 400 - at * 90,
                            fresh: 12,
                            resting: at * 13,
                            waiting: at,
                            circuit: at === 3 ? 'open' : 'closed',
                            next_try_at_ms: at === 3 ? this.now + 40000 : null,
                        })),
                    ),
                ...(this.hostile
                    ? [
                          {
                              provider: 'openai',
                              model: HOSTILE,
                              requests_today: 1,
                              ready: 1,
                              fresh: 0,
                              resting: 0,
                              waiting: 0,
                              circuit: 'closed',
                              next_try_at_ms: null,
                          },
                      ]
                    : []),
            ],
        };
    }

    settings() {
        return {
            version: '0.1.0',
            uptime_s: 93211,
            database: 'one-balance.db',
            listen: '127.0.0.1:8080',
            threads: 4,
            upstream: 'cloudflare',
            cloudflare: {
                account_id: 'abc123',
                gateway: 'one-balance',
                token: '•••',
            },
            limits: {
                request_body_bytes_max: 67108864,
                request_head_bytes_max: 65536,
            },
            timeouts: {
                head_ms: 30000,
                connect_ms: 10000,
                first_byte_ms: 120000,
                idle_ms: 120000,
                queue_ms: 10000,
                drain_ms: 30000,
            },
            retry: { attempts_max: 30, trouble_max: 3 },
            keys: { revive: true },
            consecutive_429_threshold: 2,
            models: {
                smart: [
                    'google-ai-studio/gemini-2.5-pro',
                    'anthropic/claude-sonnet-4-5',
                ],
            },
            providers: 24,
        };
    }
}
