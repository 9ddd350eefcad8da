/* The admin API, with the session's cookie. */
import { t } from './i18n';
import { mayBeSignedIn, rememberSession } from './memory';

export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        readonly retryAfterS = 0,
    ) {
        super(message);
    }
}

let csrf: string | null = null;
let ended: () => void = () => {};

/* `callback` runs when the API no longer knows the session. */
export function onSessionEnd(callback: () => void): void {
    ended = callback;
}

async function failure(response: Response): Promise<ApiError> {
    const seconds = Number(response.headers.get('retry-after')) || 0;
    const body = await response.json().catch(() => null);
    const said = body?.error?.message;
    const message =
        typeof said === 'string'
            ? said
            : t('failed.status', { n: response.status });
    return new ApiError(response.status, message, seconds);
}

async function send(path: string, init: RequestInit): Promise<Response> {
    try {
        return await fetch(path, { credentials: 'same-origin', ...init });
    } catch (error) {
        if ((error as Error).name === 'AbortError') throw error;
        throw new ApiError(0, t('failed.unreachable'));
    }
}

export async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
): Promise<T> {
    const headers: Record<string, string> = { accept: 'application/json' };
    const init: RequestInit = { method, headers, signal: signal ?? null };
    if (method !== 'GET' && csrf) headers['x-csrf-token'] = csrf;
    if (body instanceof Blob) {
        headers['content-type'] = body.type;
        init.body = body;
    } else if (body !== undefined) {
        headers['content-type'] = 'application/json';
        init.body = JSON.stringify(body);
    }
    const response = await send(`/admin/api${path}`, init);
    if (response.status === 401) {
        rememberSession(false);
        ended();
    }
    if (!response.ok) throw await failure(response);
    return (await response.json()) as T;
}

export const get = <T>(path: string, signal?: AbortSignal) =>
    call<T>('GET', path, undefined, signal);
export const post = <T>(path: string, body: unknown, signal?: AbortSignal) =>
    call<T>('POST', path, body, signal);

/* For files, which the gateway reads by itself. */
export const postRaw = <T>(path: string, text: string) =>
    call<T>(
        'POST',
        path,
        new Blob([text], { type: 'application/octet-stream' }),
    );

export interface Session {
    csrf: string | null;
    name?: string;
    expires_at?: number;
    keys_at_once: number;
}

let slice = 100;

/* How many keys are sent at once. */
export const keysAtOnce = () => slice;

/* null: nobody is signed in. */
export async function readSession(): Promise<Session | null> {
    if (!mayBeSignedIn()) return null;
    try {
        const session = await get<Session>('/session');
        csrf = session.csrf;
        slice = session.keys_at_once;
        return session;
    } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
    }
}

export async function signIn(authKey: string): Promise<void> {
    const response = await send('/login', {
        method: 'POST',
        headers: { accept: 'application/json' },
        body: new URLSearchParams({ auth_key: authKey }),
        /* 303 to the page, which is here already. */
        redirect: 'manual',
    });
    if (response.type !== 'opaqueredirect' && !response.ok)
        throw await failure(response);
    rememberSession(true);
}

export async function signOut(): Promise<void> {
    rememberSession(false);
    await send('/logout', { method: 'POST', redirect: 'manual' });
    csrf = null;
}

/* "?a=1&b=2" of what is not empty. */
export function query(
    values: Record<string, string | number | boolean | null | undefined>,
): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(values))
        if (value !== '' && value !== null && value !== undefined)
            search.set(name, String(value));
    const text = search.toString();
    return text && `?${text}`;
}
