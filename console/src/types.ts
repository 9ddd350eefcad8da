/* What the admin API answers: docs/admin-api.md. */
export type KeyStatus = 'active' | 'cooling' | 'blocked';

export interface Provider {
    id: string;
    name: string;
    dialect: string;
    base_url: string;
    keys: Record<KeyStatus, number>;
    /* Of keys that are not active; an older gateway does not tell. */
    why?: Why[];
}

export interface Why {
    status: KeyStatus;
    reason: string;
    keys: number;
}

export interface Cooldown {
    model: string | null;
    until: number;
    reason: string;
}

export interface Key {
    id: number;
    provider: string;
    key: string;
    status: KeyStatus;
    remark: string;
    priority: number;
    weight: number;
    created_at: number;
    last_used_at: number | null;
    blocked_reason: string | null;
    cooldowns: Cooldown[];
    total_cooling_seconds: number;
    requests: number;
    failures: number;
}

export interface KeyList {
    total: number;
    keys: Key[];
}

export interface Meter {
    used: number;
    limit: number | null;
    told?: boolean;
}

export interface Quota {
    model: string | null;
    requests_minute?: Meter | null;
    tokens_minute?: Meter | null;
    requests_day?: Meter | null;
    tokens_day?: Meter | null;
    room_at_ms?: number | null;
    shares_with?: number[];
}

export interface Change {
    id: string | number;
    at_ms: number;
    /* Of a key that is gone, the id alone is known. */
    key: { id: number; key: string | null; provider: string | null } | null;
    action: string;
    reason: string | null;
    status: number | null;
    model: string | null;
    until: number | null;
    words: string | null;
    request_id: string | null;
}

export interface KeyDetail extends Key {
    quotas?: Quota[];
    evidence?: Change[];
}

export interface Refused {
    key: string;
    why: string;
}

export interface Added {
    added: number;
    known: number;
    refused: Refused[];
    refused_total?: number;
    /* What a file was taken for. */
    read_as?: string;
}

export interface Preview {
    new: number;
    known: number;
    twice: number;
    refused: Refused[];
    refused_total: number;
}

export interface Tested {
    ok: boolean;
    status: number;
    verdict: {
        action: string;
        scope: string | null;
        seconds: number;
        reason: string;
    };
}

export interface Attempt {
    provider: string;
    model: string | null;
    key: { id: number; key: string } | null;
    began_ms: number;
    took_ms: number;
    status: number;
    verdict: string | null;
    reason: string | null;
    words: string | null;
}

export interface LogRequest {
    id: string;
    request_id: string;
    at_ms: number;
    auth_key: string | null;
    route: string;
    provider: string | null;
    model_asked: string | null;
    model: string | null;
    key: { id: number; key: string } | null;
    status: number;
    error: string | null;
    stream: boolean;
    attempts: number;
    first_byte_ms: number | null;
    total_ms: number;
    waited_ms: number;
    tokens: {
        input: number;
        output: number;
        cached: number;
        reasoning: number;
    } | null;
    cost_usd: number | null;
    bytes_in: number;
    bytes_out: number;
    metadata: Record<string, unknown> | null;
}

export interface LogDetail extends Omit<LogRequest, 'attempts'> {
    attempts: Attempt[] | number;
    request_body?: string | null;
    response_body?: string | null;
}

export interface Totals {
    requests: number;
    ok: number;
    errors: number;
    attempts: number;
    tokens_in: number;
    tokens_out: number;
    tokens_cached: number;
    tokens_reasoning: number;
    cost_usd: number;
    first_byte_ms_p50: number | null;
    first_byte_ms_p95: number | null;
    total_ms_p50: number | null;
    total_ms_p95: number | null;
}

export interface Stats {
    by: string;
    from: number;
    to: number;
    series: {
        group: string | null;
        points: (Totals & { at: number })[];
        total: Totals;
    }[];
    errors: { error: string; count: number }[];
    verdicts: { verdict: string; count: number }[];
}

export interface AuthKeyLimits {
    requests_minute: number | null;
    tokens_minute: number | null;
    usd_day: number | null;
    usd_month: number | null;
}

export interface AuthKey {
    id: number | null;
    name: string;
    from: string;
    prefix: string | null;
    permissions: { provider: string; models: string[] | null }[];
    expires_at: number | null;
    created_at: number | null;
    last_used_at: number | null;
    limits?: AuthKeyLimits;
    used?: { [name in keyof AuthKeyLimits]?: number | null };
    revoked: boolean;
    auth_key?: string;
}
