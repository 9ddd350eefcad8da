/*
 * quotas.mjs - providers that count: behaviours for mock.mjs that let a key do
 * so much and refuse the rest, in the words and headers of the real ones.
 *
 *   const quota = metered(bucket(5), { refuse: …, beside: … })
 *   mock.otherwise(quota.behaviour)
 *   quota.refused                    the keys that were refused, in order
 *
 * A limit is `() => meter`, made once a key; meter.take(at) says whether one
 * more request may pass, meter.left(at) how many more may.
 */
import { failure, json } from './dialect-errors.mjs';
import { compose } from './dialects.mjs';

/* So many requests in any `ms` milliseconds. */
export const rolling =
    (requests, ms = 60000) =>
    () => {
        let sent = [];
        const left = (at) => {
            sent = sent.filter((then) => then > at - ms);
            return requests - sent.length;
        };
        const take = (at) => left(at) > 0 && sent.push(at) > 0;
        return { requests, left, take };
    };

/* So many a second, refilled evenly; a second's worth may come at once. */
export const bucket = (requests) => () => {
    let full = requests;
    let then = 0;
    const left = (at) => {
        full = Math.min(requests, full + ((at - then) * requests) / 1000);
        then = at;
        return Math.floor(full);
    };
    const take = (at) => left(at) > 0 && full-- > 0;
    return { requests, left, take };
};

/*
 * Counts by key. `limitOf` is a limit, or a function from a key to one;
 * `refuse(provider, meter)` gives what is said beyond it, { status, headers?,
 * type, body }; `beside(meter, at)` the headers of an answer.
 */
export function metered(limit, { refuse, beside = () => ({}), limitOf } = {}) {
    const meters = new Map();
    const refused = [];
    const meterOf = (key) => {
        if (!meters.has(key)) meters.set(key, (limitOf?.(key) ?? limit)());
        return meters.get(key);
    };
    const behaviour = async (request, answer) => {
        const meter = meterOf(request.key);
        if (meter.take(request.at)) {
            const headers = beside(meter, request.at);
            return answer.whole(compose(request), headers, request.method);
        }
        refused.push(request.key);
        const { headers, ...said } = refuse(request.provider, meter);
        return answer.whole(said, headers, request.method);
    };
    return { behaviour, refused };
}

/* ---- what is said ---- */

/* Google's: which quota, its value, and a wait that may be shorter than it
 * takes until there is room. */
export const quotaFailure = ({ quotaId, quotaValue, seconds = 1 }) =>
    failure('google-ai-studio', 429, 'You exceeded your current quota.', {
        details: [
            {
                '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
                violations: [
                    {
                        quotaMetric:
                            'generativelanguage.googleapis.com/generate_content_free_tier_requests',
                        quotaId,
                        quotaDimensions: {
                            location: 'global',
                            model: 'gemini-2.5-flash',
                        },
                        quotaValue: String(quotaValue),
                    },
                ],
            },
            {
                '@type': 'type.googleapis.com/google.rpc.RetryInfo',
                retryDelay: `${seconds}s`,
            },
        ],
    });
export const BY_MINUTE = 'GenerateRequestsPerMinutePerProjectPerModel-FreeTier';
export const BY_DAY = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier';

/* The IETF draft's header, of a limit by the second. */
export const bySecond = ({ requests }) => ({
    'ratelimit-policy': `"requests";q=${requests};w=1`,
});

/* OpenAI's headers, of requests a minute. */
export const byMinute = (limit, remaining) => ({
    'x-ratelimit-limit-requests': limit,
    'x-ratelimit-remaining-requests': remaining,
    'x-ratelimit-reset-requests': remaining === 0 ? '1m0s' : '6s',
});

export const tooMany = (seconds) => (provider) => ({
    ...failure(provider, 429, 'Too many requests.'),
    headers: { 'retry-after': seconds },
});

/* ---- what belongs to a key ---- */

/*
 * Files, batches and stored responses: made with an id that only their key
 * knows; another key is told that there is no such thing. `headers` stand
 * beside each answer.
 */
export const owning = (headers = {}) => {
    let count = 0;
    const owners = new Map();
    const kinds = [
        [/\/files$/, 'file-', 'file'],
        [/\/batches$/, 'batch_', 'batch'],
        [/\/responses$/, 'resp_', 'response'],
    ];
    const named = (request) => {
        const body = /json/.test(request.head.get('content-type') ?? '')
            ? request.json()
            : {};
        const id = /\/(?:files|batches|responses)\/([^/]+)/.exec(request.path);
        return [
            id?.[1],
            body.input_file_id,
            body.previous_response_id,
        ].filter(Boolean);
    };
    return async (request, answer) => {
        for (const id of named(request))
            if (owners.get(id) !== request.key)
                return answer.whole(
                    failure('openai', 404, `No such thing: ${id}`),
                );
        const kind = kinds.find(
            ([path]) => request.method === 'POST' && path.test(request.path),
        );
        if (!kind)
            return answer.whole(
                json({ id: named(request)[0], object: 'any' }),
                headers,
            );
        const id = `${kind[1]}${++count}`;
        owners.set(id, request.key);
        const made = kind[2] === 'response' ? compose(request) : undefined;
        const body = made ? JSON.parse(made.body.toString()) : {};
        return answer.whole(json({ ...body, id, object: kind[2] }), headers);
    };
};
