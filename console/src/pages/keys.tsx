/* A provider's keys, or everybody's: found, sorted, changed many at a time. The
 * server pages; what is asked for stands in the address. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { query as ask } from '../api';
import { ago, count, moment, rough, span } from '../format';
import { say, t } from '../i18n';
import { useResource, useSettled } from '../resource';
import { adjust, go, to } from '../router';
import type { Key, KeyList, KeyStatus, Provider } from '../types';
import { Icon } from '../ui/icon';
import {
    Button,
    Empty,
    Page,
    Pager,
    Problem,
    SearchBox,
    StatusBadge,
    StatusNote,
    Waiting,
} from '../ui/parts';
import { AddKeys } from './addkeys';
import { BulkBar, type Selection } from './bulk';
import { ExportKeys } from './exportkeys';
import { KeyPanel } from './key';

const statuses: KeyStatus[] = ['active', 'cooling', 'blocked'];
const sizes = [50, 100, 250, 1000];
/* A long page is put up in steps, so that its beginning is there at once. */
const FIRST_ROWS = 100;
const MORE_ROWS = 300;
type Sort = 'created_at' | 'last_used_at' | 'total_cooling_seconds';

function Head({
    sort,
    order,
    name,
    children,
}: {
    sort: Sort;
    order: string;
    name: Sort;
    children: string;
}) {
    const here = sort === name;
    const next = here && order === 'desc' ? 'asc' : 'desc';
    return (
        <th
            scope="col"
            class="number"
            aria-sort={
                here
                    ? order === 'desc'
                        ? 'descending'
                        : 'ascending'
                    : undefined
            }
        >
            <button
                type="button"
                class="sort"
                onClick={() => adjust({ sort: name, order: next, page: null })}
            >
                {children}
                {here && (
                    <Icon name={order === 'desc' ? 'down' : 'up'} size={12} />
                )}
            </button>
        </th>
    );
}

function Row({
    entry,
    chosen,
    withProvider,
    onChoose,
}: {
    entry: Key;
    chosen: boolean;
    withProvider: boolean;
    onChoose: (range: boolean) => void;
}) {
    return (
        <tr class={chosen ? 'chosen' : undefined}>
            <td class="check">
                <input
                    type="checkbox"
                    checked={chosen}
                    aria-label={t('keys.choose', { key: entry.key })}
                    onClick={(event) => onChoose(event.shiftKey)}
                />
            </td>
            <th scope="row" class="key-cell">
                <button
                    type="button"
                    class="link mono"
                    onClick={() => adjust({ key: entry.id })}
                >
                    {entry.key}
                </button>
                {withProvider && <span class="muted">{entry.provider}</span>}
            </th>
            <td class="status-cell">
                <StatusBadge status={entry.status} />{' '}
                <StatusNote entry={entry} />
            </td>
            <td class="remark cut" title={entry.remark}>
                {entry.remark}
                {(entry.priority > 0 || entry.weight !== 1) && (
                    <span class="muted">
                        {entry.remark && ' '}
                        {entry.priority > 0 && `P${entry.priority}`}
                        {entry.weight !== 1 && ` ×${entry.weight}`}
                    </span>
                )}
            </td>
            <td class="number" data-name={t('keys.requests')}>
                {count(entry.requests)}
                {entry.failures > 0 && (
                    <span class="muted" title={t('keys.failures')}>
                        {' '}
                        −{count(entry.failures)}
                    </span>
                )}
            </td>
            <td
                class="number"
                data-name={t('keys.used')}
                title={moment(entry.last_used_at)}
            >
                {ago(entry.last_used_at)}
            </td>
            <td
                class="number"
                data-name={t('keys.rested')}
                title={span(entry.total_cooling_seconds)}
            >
                {entry.total_cooling_seconds
                    ? rough(entry.total_cooling_seconds)
                    : '–'}
            </td>
            <td
                class="number"
                data-name={t('keys.created')}
                title={moment(entry.created_at)}
            >
                {ago(entry.created_at)}
            </td>
        </tr>
    );
}

function StatusTabs({
    provider,
    status,
    providers,
}: {
    provider: string;
    status: string;
    providers: Provider[] | null;
}) {
    const sums = useMemo(() => {
        const sum = { active: 0, cooling: 0, blocked: 0 };
        for (const { id, keys } of providers ?? [])
            if (!provider || id === provider)
                for (const name of statuses) sum[name] += keys[name];
        return sum;
    }, [provider, providers]);
    const all = sums.active + sums.cooling + sums.blocked;
    const options: [string, string, number][] = [
        ['', t('status.all'), all],
        ...statuses.map((name): [string, string, number] => [
            name,
            say('status', name),
            sums[name],
        ]),
    ];
    return (
        <div class="choice" role="group" aria-label={t('keys.status')}>
            {options.map(([name, text, n]) => (
                <button
                    key={name}
                    type="button"
                    aria-pressed={name === status}
                    onClick={() => adjust({ status: name || null, page: null })}
                >
                    {text} <small>{providers ? count(n) : ''}</small>
                </button>
            ))}
        </div>
    );
}

/* Which rows are ticked; another list begins anew. */
function useSelection(keys: Key[], scope: string) {
    const [selection, setSelection] = useState<Selection>(new Set());
    const [last, setLast] = useState(-1);
    useEffect(() => setSelection(new Set()), [scope]);
    const has = (id: number) => selection === 'all' || selection.has(id);
    const allHere = keys.length > 0 && keys.every(({ id }) => has(id));
    const ids = () =>
        selection === 'all' ? keys.map(({ id }) => id) : [...selection];
    /* With `range`, all from the last one on do as this one does. */
    const toggle = (at: number, range: boolean) => {
        const next = new Set(ids());
        const on = !next.has(keys[at]!.id);
        const other = range && last >= 0 ? last : at;
        for (const { id } of keys.slice(
            Math.min(at, other),
            Math.max(at, other) + 1,
        ))
            if (on) next.add(id);
            else next.delete(id);
        setSelection(next);
        setLast(at);
    };
    const togglePage = () => {
        const next = new Set(selection === 'all' ? [] : ids());
        for (const { id } of keys)
            if (allHere) next.delete(id);
            else next.add(id);
        setSelection(next);
    };
    return { selection, setSelection, has, allHere, toggle, togglePage };
}

/* How many rows of the list `of` are put up by now. */
function useSteps(length: number, of: string | null): number {
    const [step, setStep] = useState({ of, rows: FIRST_ROWS });
    const rows = step.of === of ? step.rows : FIRST_ROWS;
    useEffect(() => {
        if (rows >= length) return;
        const timer = setTimeout(
            () => setStep({ of, rows: rows + MORE_ROWS }),
            16,
        );
        return () => clearTimeout(timer);
    }, [of, rows, length]);
    return rows;
}

function Table({
    keys,
    sort,
    order,
    withProvider,
    chosen,
    of,
}: {
    keys: Key[];
    of: string | null;
    sort: Sort;
    order: string;
    withProvider: boolean;
    chosen: ReturnType<typeof useSelection>;
}) {
    const rows = useSteps(keys.length, of);
    return (
        <table class="keys">
            <thead>
                <tr>
                    <th class="check" scope="col">
                        <input
                            type="checkbox"
                            checked={chosen.allHere}
                            aria-label={t('keys.chooseall')}
                            onClick={chosen.togglePage}
                        />
                    </th>
                    <th scope="col">{t('key')}</th>
                    <th scope="col">{t('keys.status')}</th>
                    <th scope="col">{t('keys.remark')}</th>
                    <th scope="col" class="number">
                        {t('keys.requests')}
                    </th>
                    <Head sort={sort} order={order} name="last_used_at">
                        {t('keys.used')}
                    </Head>
                    <Head
                        sort={sort}
                        order={order}
                        name="total_cooling_seconds"
                    >
                        {t('keys.rested')}
                    </Head>
                    <Head sort={sort} order={order} name="created_at">
                        {t('keys.created')}
                    </Head>
                </tr>
            </thead>
            <tbody>
                {keys.slice(0, rows).map((entry, at) => (
                    <Row
                        key={entry.id}
                        entry={entry}
                        chosen={chosen.has(entry.id)}
                        withProvider={withProvider}
                        onChoose={(range) => chosen.toggle(at, range)}
                    />
                ))}
            </tbody>
        </table>
    );
}

function Nothing({
    filtered,
    onShowAll,
}: {
    filtered: boolean;
    onShowAll: () => void;
}) {
    return (
        <Empty>
            <p>{filtered ? t('keys.nonefound') : t('keys.none')}</p>
            {filtered ? (
                <Button onClick={onShowAll}>{t('keys.showall')}</Button>
            ) : (
                <Button
                    kind="main"
                    icon="plus"
                    onClick={() => adjust({ add: 1 })}
                >
                    {t('keys.add')}
                </Button>
            )}
        </Empty>
    );
}

function Foot({
    total,
    page,
    size,
}: {
    total: number;
    page: number;
    size: number;
}) {
    return (
        <div class="list-foot">
            <span class="muted" role="status">
                {t('keys.total', { n: count(total) })}
            </span>
            <select
                class="small"
                aria-label={t('pager.size')}
                value={size}
                onChange={(event) =>
                    adjust({ size: event.currentTarget.value, page: null })
                }
            >
                {sizes.map((n) => (
                    <option key={n} value={n}>
                        {t('pager.each', { n })}
                    </option>
                ))}
            </select>
            <Pager
                page={page}
                pages={Math.max(1, Math.ceil(total / size))}
                onPage={(next) => adjust({ page: next })}
            />
        </div>
    );
}

function Actions({
    provider,
    providers,
    onSwitch,
}: {
    provider: string;
    providers: Provider[] | null;
    onSwitch: () => void;
}) {
    const turn = (event: { currentTarget: HTMLSelectElement }) => {
        const id = event.currentTarget.value;
        onSwitch();
        go(to(id ? ['keys', id] : ['keys']));
    };
    return (
        <>
            <select aria-label={t('provider')} value={provider} onChange={turn}>
                <option value="">{t('provider.all')}</option>
                {providers?.map(({ id, name }) => (
                    <option key={id} value={id}>
                        {name}
                    </option>
                ))}
                {provider && !providers && (
                    <option value={provider}>{provider}</option>
                )}
            </select>
            <Button icon="down_to" onClick={() => adjust({ export: 1 })}>
                {t('keys.export')}
            </Button>
            <Button kind="main" icon="plus" onClick={() => adjust({ add: 1 })}>
                {t('keys.add')}
            </Button>
        </>
    );
}

/* What the address asks for, within what the API takes. */
function readQuery(query: URLSearchParams) {
    return {
        status: query.get('status') ?? '',
        q: query.get('q') ?? '',
        sort: (query.get('sort') ?? 'created_at') as Sort,
        order: query.get('order') ?? 'asc',
        page: Math.max(1, Number(query.get('page')) || 1),
        size: Number(query.get('size')) || 50,
        opened: Number(query.get('key')) || 0,
    };
}

export function KeysPage({
    provider,
    query,
}: {
    provider: string;
    query: URLSearchParams;
}) {
    const { status, q, sort, order, page, size, opened } = readQuery(query);
    const [typed, setTyped] = useState(q);
    const wanted = useSettled(typed, 100);
    useEffect(() => {
        if (wanted !== q) adjust({ q: wanted || null, page: null }, true);
    }, [wanted]);
    const list = useResource<KeyList>(
        `/keys${ask({ provider, status, q, sort, order, page, page_size: size })}`,
        { everyMs: 10000 },
    );
    const providers = useResource<Provider[]>('/providers', { everyMs: 10000 });
    const keys = list.data?.keys ?? [];
    const total = list.data?.total ?? 0;
    const chosen = useSelection(keys, `${provider} ${status} ${q}`);
    const known = providers.data?.find(({ id }) => id === provider);
    const reload = () => {
        list.reload();
        providers.reload();
    };
    const showAll = () => {
        setTyped('');
        adjust({ status: null, q: null, page: null });
    };
    return (
        <Page
            title={provider ? (known?.name ?? provider) : t('nav.keys')}
            actions={
                <Actions
                    provider={provider}
                    providers={providers.data}
                    onSwitch={() => setTyped('')}
                />
            }
        >
            {provider && (
                <p class="lead mono">
                    /api/{provider} → {known?.base_url ?? '…'}
                </p>
            )}
            <div class="filters">
                <SearchBox
                    label={t('keys.search')}
                    typed={typed}
                    onType={setTyped}
                />
                <StatusTabs
                    provider={provider}
                    status={status}
                    providers={providers.data}
                />
            </div>
            {list.error && <Problem error={list.error} again={list.reload} />}
            <section
                class="panel flush"
                aria-label={t('nav.keys')}
                aria-busy={list.loading}
            >
                <div
                    class={`scroll${list.data ? '' : ' keys-wait'}`}
                    tabIndex={0}
                    role="region"
                    aria-label={t('nav.keys')}
                >
                    {keys.length > 0 && (
                        <Table
                            keys={keys}
                            of={list.path}
                            sort={sort}
                            order={order}
                            withProvider={!provider}
                            chosen={chosen}
                        />
                    )}
                    {!list.data && !list.error && <Waiting lines={12} />}
                    {list.data && !keys.length && (
                        <Nothing
                            filtered={!!(status || q)}
                            onShowAll={showAll}
                        />
                    )}
                </div>
                {list.data && <Foot total={total} page={page} size={size} />}
            </section>
            {(chosen.selection === 'all' || chosen.selection.size > 0) && (
                <BulkBar
                    selection={chosen.selection}
                    total={total}
                    filter={{ provider, status, q }}
                    onSelect={chosen.setSelection}
                    onDone={reload}
                />
            )}
            {query.get('add') && (
                <AddKeys
                    provider={provider}
                    providers={providers.data ?? []}
                    onClose={() => adjust({ add: null })}
                    onAdded={reload}
                />
            )}
            {query.get('export') && (
                <ExportKeys
                    provider={provider}
                    onClose={() => adjust({ export: null })}
                />
            )}
            {opened > 0 && (
                <KeyPanel
                    key={opened}
                    id={opened}
                    known={keys.find(({ id }) => id === opened) ?? null}
                    onClose={() => adjust({ key: null })}
                    onChange={reload}
                />
            )}
        </Page>
    );
}
