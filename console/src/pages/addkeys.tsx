/* Keys by paste or from files: first a look at what they are, then they are
 * added a slice at a time, so that a hundred thousand show how far they are. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import {
    FIELD_CHARS_MAX,
    type How,
    type Part,
    type Progress,
    addAll,
    look,
    lookAlone,
    partOf,
    readFile,
    split,
} from '../adding';
import { ApiError } from '../api';
import { count } from '../format';
import { t } from '../i18n';
import { useSettled } from '../resource';
import type { Preview, Provider, Refused } from '../types';
import { Dialog } from '../ui/dialog';
import { Button, Field, Notice } from '../ui/parts';

interface Seen {
    preview: Preview | null;
    alone: boolean;
    problem: string;
}

function usePreview(provider: string, keys: string[], off: boolean): Seen {
    const [seen, setSeen] = useState<Seen>({
        preview: null,
        alone: false,
        problem: '',
    });
    useEffect(() => {
        if (!provider || !keys.length || off) {
            setSeen({ preview: null, alone: false, problem: '' });
            return;
        }
        const abort = new AbortController();
        look(keys, provider, abort.signal).then(
            (preview) => setSeen({ preview, alone: false, problem: '' }),
            (error) => {
                if (abort.signal.aborted) return;
                const alone =
                    error instanceof ApiError &&
                    [404, 405].includes(error.status);
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

function RefusedList({
    refused,
    total,
}: {
    refused: Refused[];
    total: number;
}) {
    if (!total) return null;
    return (
        <details class="more" open={total <= 5}>
            <summary>{t('add.refusedlist', { n: count(total) })}</summary>
            <ul class="plain-list">
                {refused.slice(0, 50).map(({ key, why }, at) => (
                    <li key={at}>
                        <span class="mono">{key}</span>{' '}
                        <span class="muted">{why}</span>
                    </li>
                ))}
                {total > 50 && (
                    <li class="muted">{t('more', { n: count(total - 50) })}</li>
                )}
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

function Look({ preview, alone }: { preview: Preview; alone: boolean }) {
    return (
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
            <RefusedList
                refused={preview.refused}
                total={preview.refused_total}
            />
        </>
    );
}

function Going({ progress }: { progress: Progress }) {
    return (
        <div class="progress" role="status">
            <progress
                aria-label={t('keys.add')}
                max={progress.of}
                value={progress.done}
            />
            {t('add.progress', {
                done: count(progress.done),
                of: count(progress.of),
            })}
        </div>
    );
}

function Done({ progress }: { progress: Progress }) {
    const { added, known, refused, refused_total, read } = progress.result;
    return (
        <div role="status" class="stack">
            <Notice kind="good">{t('add.done', { n: count(added) })}</Notice>
            {read.map((what, at) => (
                <p key={at} class="muted">
                    {t('add.readas', { what })}
                </p>
            ))}
            <Counts
                of={[
                    [t('add.added'), added, 'good'],
                    [t('add.known'), known, ''],
                    [t('add.refused'), refused_total, 'bad'],
                ]}
            />
            <RefusedList refused={refused} total={refused_total} />
        </div>
    );
}

function Parts({
    parts,
    disabled,
    onDrop,
}: {
    parts: Part[];
    disabled: boolean;
    onDrop: (at: number) => void;
}) {
    if (!parts.length) return null;
    const what = ({ raw, keys }: Part) =>
        raw
            ? t('add.raw', { format: raw.format.toUpperCase() })
            : t('keys.total', { n: count(keys.length) });
    return (
        <ul class="plain-list">
            {parts.map((part, at) => (
                <li key={at} class="cooldown">
                    <span>
                        {part.name} <span class="muted">{what(part)}</span>
                    </span>
                    <Button
                        small
                        kind="quiet"
                        icon="close"
                        label={t('act.remove')}
                        disabled={disabled}
                        onClick={() => onDrop(at)}
                    />
                </li>
            ))}
        </ul>
    );
}

/* Where keys come in: typed, pasted, dropped, or from files. */
function Entry({
    text,
    parts,
    disabled,
    onText,
    onParts,
}: {
    text: string;
    parts: Part[];
    disabled: boolean;
    onText: (text: string) => void;
    onParts: (change: (old: Part[]) => Part[]) => void;
}) {
    const [over, setOver] = useState(false);
    const read = async (files: FileList | null) => {
        const more = await Promise.all([...(files ?? [])].map(readFile));
        onParts((old) => [...old, ...more]);
    };
    const paste = (event: ClipboardEvent) => {
        const pasted = event.clipboardData?.getData('text/plain') ?? '';
        const part = partOf(t('add.pasted'), pasted);
        if (pasted.length < FIELD_CHARS_MAX && !part.raw) return;
        event.preventDefault();
        onParts((old) => [...old, part]);
    };
    const drop = (event: DragEvent) => {
        setOver(false);
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        void read(event.dataTransfer.files);
    };
    return (
        <div class="wide">
            <Field label={t('add.keys')} hint={t('add.hint')}>
                <textarea
                    class={over ? 'mono over' : 'mono'}
                    rows={8}
                    spellcheck={false}
                    autocomplete="off"
                    value={text}
                    disabled={disabled}
                    onInput={(event) => onText(event.currentTarget.value)}
                    onPaste={paste}
                    onDragOver={(event) => {
                        event.preventDefault();
                        setOver(true);
                    }}
                    onDragLeave={() => setOver(false)}
                    onDrop={drop}
                />
            </Field>
            <Parts
                parts={parts}
                disabled={disabled}
                onDrop={(at) =>
                    onParts((old) => old.filter((_, index) => index !== at))
                }
            />
            <Field label={t('add.file')}>
                <input
                    type="file"
                    multiple
                    accept=".txt,.csv,.json,.jsonl,.sql,.env,text/*"
                    onChange={(event) => void read(event.currentTarget.files)}
                />
            </Field>
        </div>
    );
}

function HowFields({
    how,
    providers,
    onChange,
}: {
    how: How;
    providers: Provider[];
    onChange: (how: How) => void;
}) {
    const number =
        (name: 'priority' | 'weight') =>
        (event: { currentTarget: HTMLInputElement }) => {
            const { value } = event.currentTarget;
            onChange({ ...how, [name]: value ? Number(value) : undefined });
        };
    return (
        <>
            <Field label={t('provider')}>
                <select
                    value={how.provider}
                    onChange={(event) =>
                        onChange({
                            ...how,
                            provider: event.currentTarget.value,
                        })
                    }
                >
                    <option value="">{t('add.choose')}</option>
                    {providers.map(({ id, name }) => (
                        <option key={id} value={id}>
                            {name}
                        </option>
                    ))}
                </select>
            </Field>
            <Field label={t('keys.remark')}>
                <input
                    value={how.remark ?? ''}
                    maxLength={1024}
                    onInput={(event) =>
                        onChange({
                            ...how,
                            remark: event.currentTarget.value || undefined,
                        })
                    }
                />
            </Field>
            <Field label={t('act.priority')} hint={t('add.priority')}>
                <input
                    type="number"
                    min={0}
                    max={7}
                    placeholder="0"
                    value={how.priority ?? ''}
                    onInput={number('priority')}
                />
            </Field>
            <Field label={t('act.weight')} hint={t('add.weight')}>
                <input
                    type="number"
                    min={1}
                    max={100}
                    placeholder="1"
                    value={how.weight ?? ''}
                    onInput={number('weight')}
                />
            </Field>
        </>
    );
}

export function AddKeys({
    provider,
    providers,
    onClose,
    onAdded,
}: {
    provider: string;
    providers: Provider[];
    onClose: () => void;
    onAdded: () => void;
}) {
    const [how, setHow] = useState<How>({ provider });
    const [text, setText] = useState('');
    const [parts, setParts] = useState<Part[]>([]);
    const [progress, setProgress] = useState<Progress | null>(null);
    const [running, setRunning] = useState(false);
    const [problem, setProblem] = useState('');
    const stop = useRef(false);
    const settled = useSettled(text, 300);
    const given = useMemo(() => parts.flatMap((part) => part.keys), [parts]);
    const keys = useMemo(() => [...given, ...split(settled)], [given, settled]);
    const exports = parts.flatMap(({ raw }) => (raw ? [raw] : []));
    const {
        preview,
        alone,
        problem: looking,
    } = usePreview(how.provider, keys, running || !!progress);
    useEffect(() => () => void (stop.current = true), []);

    const add = async () => {
        setRunning(true);
        setProblem('');
        try {
            await addAll(
                [...given, ...split(text)],
                exports,
                how,
                setProgress,
                () => stop.current,
            );
        } catch (error) {
            setProblem((error as Error).message);
        }
        setRunning(false);
        onAdded();
    };
    const ready = keys.length ? how.provider : exports.length;
    const over = progress && !running && !problem;
    const act = !keys.length
        ? t('keys.add')
        : t('add.do', {
              n: count(preview ? preview.new + preview.known : keys.length),
          });
    const foot = over ? (
        <Button kind="main" onClick={onClose}>
            {t('done')}
        </Button>
    ) : (
        <>
            <Button onClick={onClose}>{t('cancel')}</Button>
            <Button kind="main" disabled={!ready || running} onClick={add}>
                {running ? t('working') : act}
            </Button>
        </>
    );
    return (
        <Dialog title={t('keys.add')} wide onClose={onClose} foot={foot}>
            {!over && (
                <div class="form">
                    <HowFields
                        how={how}
                        providers={providers}
                        onChange={setHow}
                    />
                    <Entry
                        text={text}
                        parts={parts}
                        disabled={running}
                        onText={setText}
                        onParts={setParts}
                    />
                </div>
            )}
            {!progress && preview && <Look preview={preview} alone={alone} />}
            {looking && <Notice kind="bad">{looking}</Notice>}
            {progress &&
                (over ? (
                    <Done progress={progress} />
                ) : (
                    <Going progress={progress} />
                ))}
            {problem && <Notice kind="bad">{problem}</Notice>}
        </Dialog>
    );
}
