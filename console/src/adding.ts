/* Reading keys from what people paste or drop, and sending them in slices. */
import { keysAtOnce, post, postRaw, query } from './api';
import type { Added, Preview } from './types';

/* A text field with ten thousand lines is slow; what is larger than this
 * stands beside it as a part with a name. */
export const FIELD_CHARS_MAX = 20000;

/* How many refusals of a request are kept to be shown. */
const REFUSED_KEPT_MAX = 50;

export interface Part {
    name: string;
    keys: string[];
    /* What the gateway itself reads: exports, which name providers, and other
     * programs' settings. Its keys are not counted here. */
    raw?: { format: string; text: string };
}

/* What all keys that are added get. */
export interface How {
    provider: string;
    remark?: string;
    priority?: number;
    weight?: number;
}

export interface Progress {
    done: number;
    of: number;
    result: Result;
}

/* What came of all requests. `read`: what the exports were. */
export type Result = Required<Omit<Added, 'read_as'>> & { read: string[] };

/* As the gateway splits them: one a line or comma-separated. */
export function split(text: string): string[] {
    return text
        .split(/[\r\n,]+/)
        .map((key) => key.trim())
        .filter(Boolean);
}

/* null: nothing but keys. */
function formatOf(name: string, text: string): string | null {
    const head = text.slice(0, 400).trimStart();
    const line = head.split('\n')[0]!.trim();
    if (/\.sql$/i.test(name)) return 'sql';
    if (/\.env$/i.test(name) || /^API_KEYS\s*=/m.test(text)) return 'env';
    if (/^[[{]/.test(head)) return 'json';
    const columns = line
        .split(',')
        .map((column) => column.trim().replaceAll('"', '').toLowerCase());
    if (columns.length > 1 && columns.includes('key')) return 'csv';
    /* "provider key [remark]" */
    return /^[\w.-]+[ \t]+\S/.test(line) && !line.includes(',')
        ? 'text'
        : null;
}

export function partOf(name: string, text: string): Part {
    const format = formatOf(name, text);
    return format
        ? { name, keys: [], raw: { format, text } }
        : { name, keys: split(text) };
}

export const readFile = async (file: File): Promise<Part> =>
    partOf(file.name, await file.text());

/* What can be told of keys without the gateway's help. */
export function lookAlone(keys: string[]): Preview {
    const twice = keys.length - new Set(keys).size;
    return {
        new: keys.length - twice,
        known: 0,
        twice,
        refused: [],
        refused_total: 0,
    };
}

/* Keys a request, as texts; one of them takes a moment, so that a bar moves. */
function* slices(keys: string[]): Generator<[number, string]> {
    const size = keysAtOnce();
    for (let at = 0; at < keys.length; at += size)
        yield [at, keys.slice(at, at + size).join('\n')];
}

/* What the gateway says of them. */
export async function look(
    keys: string[],
    provider: string,
    signal: AbortSignal,
): Promise<Preview> {
    const all = [...new Set(keys)];
    const seen = { ...lookAlone(keys), new: 0 };
    for (const [, slice] of slices(all)) {
        const how = { provider, keys: slice };
        const part = await post<Preview>('/keys/preview', how, signal);
        seen.new += part.new;
        seen.known += part.known;
        seen.refused_total += part.refused_total;
        seen.refused.push(...part.refused.slice(0, REFUSED_KEPT_MAX));
    }
    return seen;
}

function take(result: Result, answer: Added): void {
    result.added += answer.added;
    result.known += answer.known;
    result.refused_total += answer.refused_total ?? answer.refused.length;
    result.refused.push(...answer.refused.slice(0, REFUSED_KEPT_MAX));
    if (answer.read_as) result.read.push(answer.read_as);
}

/*
 * Adds keys a slice at a time, then the exports. `onStep` is told how far it
 * is, before each request and at the end; what was added before a failure is
 * in its last report. Ends between two requests once `stopped` says so.
 */
export async function addAll(
    keys: string[],
    exports: Required<Part>['raw'][],
    how: How,
    onStep: (progress: Progress) => void,
    stopped: () => boolean,
): Promise<void> {
    const all = [...new Set(keys)];
    const result: Result = {
        added: 0,
        known: 0,
        refused: [],
        refused_total: 0,
        read: [],
    };
    const step = (done: number) =>
        onStep({ done, of: all.length, result: { ...result } });
    for (const [at, slice] of slices(all)) {
        if (stopped()) break;
        step(at);
        take(result, await post<Added>('/keys', { ...how, keys: slice }));
    }
    for (const { format, text } of exports) {
        if (stopped()) break;
        step(all.length);
        const path = `/keys/import${query({ format, provider: how.provider })}`;
        take(result, await postRaw<Added>(path, text));
    }
    step(all.length);
}
