/* Keys by paste or from files: first a look at what they are, then they are
 * added a slice at a time, so that a hundred thousand show how far they are. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, post, postRaw, query } from '../api';
import { count } from '../format';
import { t } from '../i18n';
import { useSettled } from '../resource';
import type { Added, Preview, Provider, Refused } from '../types';
import { Dialog } from '../ui/dialog';
import { Button, Field, Notice } from '../ui/parts';

/* Keys a request; one of them takes a moment, so that the bar moves. */
const SLICE = 2000;

/* A text field with ten thousand lines is slow; what is larger than this stands
 * beside it as a part with a name. */
const FIELD_CHARS_MAX = 20000;

interface Part {
    name: string;
    keys: string[];
    /* A table, a JSON or SQL export, which the gateway itself reads; it names
     * providers, and its keys are not counted here. */
    raw?: { format: string; text: string };
}

function formatOf(name: string, text: string): string | null {
    const head = text.slice(0, 400).trimStart();
    if (/\.sql$/i.test(name)) return 'sql';
    if (/^[[{]/.test(head)) return 'json';
    const columns = head.split('\n')[0]!.split(',');
    const named = columns.map((name) => name.trim().replaceAll('"', '').toLowerCase());
    return columns.length > 1 && named.includes('key') ? 'csv' : null;
}

async function readFile(file: File): Promise<Part> {
    const text = await file.text();
    const format = formatOf(file.name, text);
    return format
        ? { name: file.name, keys: [], raw: { format, text } }
        : { name: file.name, keys: split(text) };
}

/* As the gateway splits them: one a line or comma-separated. */
function split(text: string): string[] {
    return text
        .split(/[\r\n,]+/)
        .map((key) => key.trim())
        .filter(Boolean);
}

/* What can be told without the gateway's help. */
function lookAlone(keys: string[]): Preview {
    const twice = keys.length - new Set(keys).size;
    return { new: keys.length - twice, known: 0, twice, refused: [], refused_total: 0 };
}

interface Seen {
    preview: Preview | null;
    alone: boolean;
    problem: string;
}

function usePreview(provider: string, keys: string[], off: boolean): Seen {
    const [seen, setSeen] = useState<Seen>({ preview: null, alone: false, problem: '' });
    useEffect(() => {
        if (!provider || !keys.length || off) {
            setSeen({ preview: null, alone: false, problem: '' });
            return;
        }
        const abort = new AbortController();
        post<Preview>('/keys/preview', { provider, keys: keys.join('\n') }, abort.signal).then(
            (preview) => setSeen({ preview, alone: false, problem: '' }),
            (error) => {
                if (abort.signal.aborted) return;
                const alone = error instanceof ApiError && [404, 405].includes(error.status);
                setSeen({
                    preview: alone ? lookAlone(keys) : null,
                    alone,
                    problem: alone ? '' : error.message,
                });
            },
        );
        return () => abort.abort();
    }, [provider, keys, off]);
    return seen;
}

function RefusedList({ refused, total }: { refused: Refused[]; total: number }) {
    if (!total) return null;
    return (
        <details class="more" open={total <= 5}>
            <summary>{t('add.refusedlist', { n: count(total) })}</summary>
            <ul class="plain-list">
                {refused.slice(0, 50).map(({ key, why }, at) => (
                    <li key={at}>
                        <span class="mono">{key}</span> <span class="muted">{why}</span>
                    </li>
                ))}
                {total > 50 && <li class="muted">{t('more', { n: count(total - 50) })}</li>}
            </ul>
        </details>
    );
}

function Counts({ of }: { of: [string, number, string][] }) {
    return (
        <dl class="tiles small">
            {of.map(([name, n, kind]) => (
                <div key={name} class={`tile ${n ? kind : ''}`}>
                    <dt>{name}</dt>
                    <dd>{count(n)}</dd>
                </div>
            ))}
        </dl>
    );
}

interface Progress {
    done: number;
    of: number;
    result: Required<Added>;
}

export function AddKeys({
    provider: first,
    providers,
    onClose,
    onAdded,
}: {
    provider: string;
    providers: Provider[];
    onClose: () => void;
    onAdded: () => void;
}) {
    const [provider, setProvider] = useState(first);
    const [text, setText] = useState('');
    const [parts, setParts] = useState<Part[]>([]);
    const [remark, setRemark] = useState('');
    const [priority, setPriority] = useState('');
    const [weight, setWeight] = useState('');
    const [over, setOver] = useState(false);
    const [progress, setProgress] = useState<Progress | null>(null);
    const [running, setRunning] = useState(false);
    const [problem, setProblem] = useState('');
    const stop = useRef(false);
    const settled = useSettled(text, 300);
    const keys = useMemo(
        () => [...parts.flatMap((part) => part.keys), ...split(settled)],
        [parts, settled],
    );
    const raws = parts.flatMap(({ raw }) => (raw ? [raw] : []));
    const ready = raws.length > 0 ? !keys.length || provider : keys.length && provider;
    const { preview, alone, problem: looking } = usePreview(provider, keys, running || !!progress);
    useEffect(() => () => void (stop.current = true), []);

    const read = async (files: FileList | null) => {
        const more = await Promise.all([...(files ?? [])].map(readFile));
        setParts((old) => [...old, ...more]);
    };
    const paste = (event: ClipboardEvent) => {
        const pasted = event.clipboardData?.getData('text/plain') ?? '';
        if (pasted.length < FIELD_CHARS_MAX) return;
        event.preventDefault();
        setParts((old) => [...old, { name: t('add.pasted'), keys: split(pasted) }]);
    };
    const add = async () => {
        const all = [...new Set([...parts.flatMap((part) => part.keys), ...split(text)])];
        const result: Required<Added> = { added: 0, known: 0, refused: [], refused_total: 0 };
        const take = (answer: Added) => {
            result.added += answer.added;
            result.known += answer.known;
            result.refused_total += answer.refused_total ?? answer.refused.length;
            result.refused.push(...answer.refused.slice(0, 50));
        };
        const how = {
            provider,
            ...(remark && { remark }),
            ...(priority && { priority: Number(priority) }),
            ...(weight && { weight: Number(weight) }),
        };
        setRunning(true);
        setProblem('');
        try {
            for (let at = 0; at < all.length && !stop.current; at += SLICE) {
                setProgress({ done: at, of: all.length, result });
                const slice = all.slice(at, at + SLICE).join('\n');
                take(await post<Added>('/keys', { ...how, keys: slice }));
            }
            for (const { format, text: raw } of raws) {
                if (stop.current) break;
                setProgress({ done: all.length, of: all.length, result });
                take(await postRaw<Added>(`/keys/import${query({ format })}`, raw));
            }
            setProgress({ done: all.length, of: all.length, result });
        } catch (error) {
            setProblem((error as Error).message);
        }
        setRunning(false);
        if (result.added || result.known) onAdded();
    };
    const over_ = progress && !running && !problem;
    return (
        <Dialog
            title={t('keys.add')}
            wide
            onClose={onClose}
            foot={
                over_ ? (
                    <Button kind="main" onClick={onClose}>{t('done')}</Button>
                ) : (
                    <>
                        <Button onClick={onClose}>{t('cancel')}</Button>
                        <Button kind="main" disabled={!ready || running} onClick={add}>
                            {running
                                ? t('working')
                                : keys.length
                                  ? t('add.do', { n: count(preview ? preview.new + preview.known : keys.length) })
                                  : t('keys.add')}
                        </Button>
                    </>
                )
            }
        >
            {!over_ && (
                <div class="form">
                    <Field label={t('provider')}>
                        <select value={provider} onChange={(event) => setProvider(event.currentTarget.value)}>
                            <option value="">{t('add.choose')}</option>
                            {providers.map(({ id, name }) => (
                                <option key={id} value={id}>{name}</option>
                            ))}
                        </select>
                    </Field>
                    <Field label={t('keys.remark')}>
                        <input value={remark} maxLength={1024} onInput={(event) => setRemark(event.currentTarget.value)} />
                    </Field>
                    <Field label={t('act.priority')} hint={t('add.priority')}>
                        <input type="number" min={0} max={7} placeholder="0" value={priority} onInput={(event) => setPriority(event.currentTarget.value)} />
                    </Field>
                    <Field label={t('act.weight')} hint={t('add.weight')}>
                        <input type="number" min={1} max={100} placeholder="1" value={weight} onInput={(event) => setWeight(event.currentTarget.value)} />
                    </Field>
                    <div class="wide">
                        <Field label={t('add.keys')} hint={t('add.hint')}>
                            <textarea
                                class={over ? 'mono over' : 'mono'}
                                rows={8}
                                spellcheck={false}
                                autocomplete="off"
                                value={text}
                                disabled={running}
                                onInput={(event) => setText(event.currentTarget.value)}
                                onPaste={paste}
                                onDragOver={(event) => {
                                    event.preventDefault();
                                    setOver(true);
                                }}
                                onDragLeave={() => setOver(false)}
                                onDrop={(event) => {
                                    setOver(false);
                                    if (!event.dataTransfer?.files.length) return;
                                    event.preventDefault();
                                    void read(event.dataTransfer.files);
                                }}
                            />
                        </Field>
                        {parts.length > 0 && (
                            <ul class="plain-list">
                                {parts.map((part, at) => (
                                    <li key={at} class="cooldown">
                                        <span>
                                            {part.name} <span class="muted">
                                                {part.raw
                                                    ? t('add.raw', { format: part.raw.format.toUpperCase() })
                                                    : t('keys.total', { n: count(part.keys.length) })}
                                            </span>
                                        </span>
                                        <Button
                                            small
                                            kind="quiet"
                                            icon="close"
                                            label={t('act.remove')}
                                            disabled={running}
                                            onClick={() => setParts((old) => old.filter((_, index) => index !== at))}
                                        />
                                    </li>
                                ))}
                            </ul>
                        )}
                        <Field label={t('add.file')}>
                            <input
                                type="file"
                                multiple
                                accept=".txt,.csv,.json,.sql,text/*"
                                onChange={(event) => void read(event.currentTarget.files)}
                            />
                        </Field>
                    </div>
                </div>
            )}
            {!progress && preview && (
                <>
                    <Counts
                        of={[
                            [t('add.new'), preview.new, 'good'],
                            [t('add.known'), preview.known, ''],
                            [t('add.twice'), preview.twice, ''],
                            [t('add.refused'), preview.refused_total, 'bad'],
                        ]}
                    />
                    {alone && <Notice>{t('add.alone')}</Notice>}
                    <RefusedList refused={preview.refused} total={preview.refused_total} />
                </>
            )}
            {looking && <Notice kind="bad">{looking}</Notice>}
            {progress && (
                <div class="stack" role="status">
                    {!over_ && (
                        <label class="progress">
                            <progress max={progress.of} value={progress.done} />
                            {t('add.progress', { done: count(progress.done), of: count(progress.of) })}
                        </label>
                    )}
                    {over_ && (
                        <>
                            <Notice kind="good">{t('add.done', { n: count(progress.result.added) })}</Notice>
                            <Counts
                                of={[
                                    [t('add.added'), progress.result.added, 'good'],
                                    [t('add.known'), progress.result.known, ''],
                                    [t('add.refused'), progress.result.refused_total, 'bad'],
                                ]}
                            />
                            <RefusedList refused={progress.result.refused} total={progress.result.refused_total} />
                        </>
                    )}
                </div>
            )}
            {problem && <Notice kind="bad">{problem}</Notice>}
        </Dialog>
    );
}
