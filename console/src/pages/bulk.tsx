/* What can be done to many keys at once: those that are ticked, or all that
 * the list's filter lets through. */
import { useState } from 'preact/hooks';
import { post } from '../api';
import { count } from '../format';
import { type Word, t } from '../i18n';
import { Confirm } from '../ui/dialog';
import { Button, Field } from '../ui/parts';
import { tell } from '../ui/toast';

export type Selection = Set<number> | 'all';
type Act = 'block' | 'activate' | 'remove' | 'remark' | 'priority' | 'weight';

interface Filter {
    provider: string;
    status: string;
    q: string;
}

function target(selection: Selection, filter: Filter): object {
    if (selection !== 'all') return { ids: [...selection] };
    const set = Object.entries(filter).filter(([, value]) => value);
    return { filter: Object.fromEntries(set) };
}

function readValue(act: Act, text: string): string | number | undefined {
    if (act === 'remark') return text;
    return act === 'priority' || act === 'weight' ? Number(text) : undefined;
}

export function BulkBar({
    selection,
    total,
    filter,
    onSelect,
    onDone,
}: {
    selection: Selection;
    total: number;
    filter: Filter;
    onSelect: (selection: Selection) => void;
    onDone: () => void;
}) {
    const [act, setAct] = useState<Act | null>(null);
    const [value, setValue] = useState('');
    /* The gateway takes no filter that lets everything through. */
    const filtered = Object.values(filter).some(Boolean);
    const n = selection === 'all' ? total : selection.size;
    const run = async () => {
        const set = readValue(act!, value);
        const { changed } = await post<{ changed: number; missing: number }>(
            '/keys/bulk',
            {
                ...target(selection, filter),
                act,
                ...(set !== undefined && { value: set }),
            },
        );
        tell(t('bulk.done', { n: count(changed) }));
        onSelect(new Set());
        onDone();
    };
    const open = (next: Act) => {
        setValue(next === 'weight' ? '1' : next === 'priority' ? '0' : '');
        setAct(next);
    };
    const acts: Act[] = ['activate', 'block', 'remark', 'priority', 'weight'];
    return (
        <div class="bulk" role="region" aria-label={t('bulk')}>
            <strong role="status">{t('bulk.count', { n: count(n) })}</strong>
            {selection !== 'all' && n < total && filtered && (
                <Button small kind="quiet" onClick={() => onSelect('all')}>
                    {t('bulk.all', { n: count(total) })}
                </Button>
            )}
            <Button
                small
                kind="quiet"
                icon="close"
                label={t('bulk.none')}
                onClick={() => onSelect(new Set())}
            />
            <span class="bulk-acts">
                {acts.map((name) => (
                    <Button key={name} small onClick={() => open(name)}>
                        {t(`act.${name}` as Word)}
                    </Button>
                ))}
                <Button small kind="danger" onClick={() => open('remove')}>
                    {t('act.remove')}
                </Button>
            </span>
            {act && (
                <Confirm
                    title={`${t(`act.${act}` as Word)}: ${t('bulk.count', { n: count(n) })}`}
                    action={t(`act.${act}` as Word)}
                    danger={act === 'remove' || act === 'block'}
                    onDo={run}
                    onClose={() => setAct(null)}
                >
                    <p>{t(`bulk.${act}` as Word)}</p>
                    {act === 'remark' && (
                        <Field label={t('keys.remark')}>
                            <input
                                value={value}
                                maxLength={1024}
                                onInput={(event) =>
                                    setValue(event.currentTarget.value)
                                }
                            />
                        </Field>
                    )}
                    {(act === 'priority' || act === 'weight') && (
                        <Field label={t(`act.${act}`)}>
                            <input
                                type="number"
                                min={act === 'priority' ? 0 : 1}
                                max={act === 'priority' ? 7 : 100}
                                value={value}
                                onInput={(event) =>
                                    setValue(event.currentTarget.value)
                                }
                            />
                        </Field>
                    )}
                </Confirm>
            )}
        </div>
    );
}
