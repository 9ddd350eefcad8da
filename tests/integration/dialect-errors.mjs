/*
 * dialect-errors.mjs - what the mock's providers say when they refuse, in the
 * words of the real ones, as data: { status, type, body }.
 */
export const json = (body, status = 200) => ({
    status,
    type: 'application/json',
    body: Buffer.from(JSON.stringify(body)),
});
export const data = (value) => `data: ${JSON.stringify(value)}\n\n`;
export const event = (name, value) =>
    `event: ${name}\ndata: ${JSON.stringify({ type: name, ...value })}\n\n`;

const GEMINI_STATUS = {
    400: 'INVALID_ARGUMENT',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    429: 'RESOURCE_EXHAUSTED',
    500: 'INTERNAL',
    503: 'UNAVAILABLE',
};
const ANTHROPIC_TYPE = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
    500: 'api_error',
    529: 'overloaded_error',
};

/* An error in the provider's own envelope. */
export function failure(
    provider,
    status,
    message,
    { code = null, type, details } = {},
) {
    if (provider === 'anthropic')
        return json(
            {
                type: 'error',
                error: {
                    type: type ?? ANTHROPIC_TYPE[status] ?? 'api_error',
                    message,
                },
                request_id: 'req_1',
            },
            status,
        );
    if (provider === 'google-ai-studio')
        return json(
            {
                error: {
                    code: status,
                    message,
                    status: GEMINI_STATUS[status] ?? 'UNKNOWN',
                    ...(details && { details }),
                },
            },
            status,
        );
    return json(
        {
            error: {
                message,
                type: type ?? 'invalid_request_error',
                param: null,
                code,
            },
        },
        status,
    );
}

export function revokedError(provider) {
    if (provider === 'anthropic')
        return failure(provider, 401, 'invalid x-api-key');
    if (provider === 'google-ai-studio') {
        return failure(
            provider,
            400,
            'API key not valid. Please pass a valid API key.',
            {
                details: [
                    {
                        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
                        reason: 'API_KEY_INVALID',
                        domain: 'googleapis.com',
                        metadata: {
                            service: 'generativelanguage.googleapis.com',
                        },
                    },
                ],
            },
        );
    }
    return failure(
        provider,
        401,
        'Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.',
        { code: 'invalid_api_key' },
    );
}

export function limitedError(provider, seconds) {
    if (provider === 'anthropic')
        return failure(
            provider,
            429,
            'This request would exceed the rate limit for your organization of 50 requests per minute.',
        );
    if (provider === 'google-ai-studio') {
        return failure(
            provider,
            429,
            `You exceeded your current quota. Please retry in ${seconds}s.`,
            {
                details: [
                    {
                        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
                        violations: [
                            {
                                quotaId:
                                    'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
                            },
                        ],
                    },
                    {
                        '@type': 'type.googleapis.com/google.rpc.RetryInfo',
                        retryDelay: `${seconds}s`,
                    },
                ],
            },
        );
    }
    return failure(
        provider,
        429,
        `Rate limit reached for gpt-4o in organization org-1 on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in ${seconds}s.`,
        { type: 'requests', code: 'rate_limit_exceeded' },
    );
}

export function troubleError(provider, status) {
    if (provider === 'anthropic')
        return failure(provider, status, 'Overloaded', {
            type: status === 529 ? 'overloaded_error' : 'api_error',
        });
    if (provider === 'google-ai-studio')
        return failure(
            provider,
            status,
            'The model is overloaded. Please try again later.',
        );
    return failure(
        provider,
        status,
        'The server had an error while processing your request. Sorry about that!',
        { type: 'server_error' },
    );
}

/* What a provider sends as the first event of a stream that has failed. */
export function errorEvent(provider) {
    if (provider === 'anthropic')
        return event('error', {
            error: { type: 'overloaded_error', message: 'Overloaded' },
        });
    if (provider === 'google-ai-studio')
        return data({
            error: {
                code: 503,
                message: 'The model is overloaded. Please try again later.',
                status: 'UNAVAILABLE',
            },
        });
    return data({
        error: {
            message: 'The server had an error while processing your request.',
            type: 'server_error',
            param: null,
            code: null,
        },
    });
}
