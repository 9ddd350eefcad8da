/* Every provider's keys: how many work, and why the others do not. Where there
 * are few keys, each is there by itself. */
import { ago, count } from '../format';
import { say, t } from '../i18n';
import { type Resource, useResource } from '../resource';
import { to } from '../router';
import type { Key, KeyList, KeyStatus, Provider, Why } from '../types';
import {
    Badge,
    Empty,
    Problem,
    Section,
    Shares,
    StatusBadge,
    StatusNote,
    Waiting,
} from '../ui/parts';

/* So many keys in all are told one by one. */
const FEW = 24;
const REASONS_SHOWN = 4;

const states: [KeyStatus, 'good' | 'warning' | 'bad'][] = [
    ['active', 'good'],
    ['cooling', 'warning'],
    ['blocked', 'bad'],
];

const sizeOf = ({ keys }: Provider) =>
    keys.active + keys.cooling + keys.blocked;

function Counts({ of }: { of: Provider }) {
    return (
        <span class="pool-counts">
            {states.map(([status, kind]) => (
                <a
                    key={status}
                    href={to(['keys', of.id], { status })}
                    title={say('status', status)}
                >
                    <Badge kind={of.keys[status] ? kind : 'plain'} icon={status}>
                        {count(of.keys[status])}{' '}
                        <span class="pool-state">{say('status', status)}</span>
                    </Badge>
                </a>
            ))}
        </span>
    );
}

function KeyLine({ entry }: { entry: Key }) {
    return (
        <li>
            <a
                class="mono"
                href={to(['keys', entry.provider], { key: entry.id })}
            >
                {entry.key}
            </a>
            <StatusBadge status={entry.status} />
            {entry.status === 'active' ? (
                <span class="muted">
                    {entry.last_used_at === null
                        ? t('pools.unused')
                        : t('pools.used', { ago: ago(entry.last_used_at) })}
                </span>
            ) : (
                <StatusNote entry={entry} />
            )}
        </li>
    );
}

function Reasons({ of }: { of: Why[] }) {
    const most = [...of].sort((a, b) => b.keys - a.keys);
    if (!most.length) return null;
    return (
        <ul class="pool-why">
            {most.slice(0, REASONS_SHOWN).map(({ status, reason, keys }) => (
                <li key={`${status} ${reason}`} class={status}>
                    <strong>{count(keys)}</strong> {say('status', status)}:{' '}
                    {say('reason', reason)}
                </li>
            ))}
        </ul>
    );
}

function Pool({ of, keys }: { of: Provider; keys: Key[] | null }) {
    const own = keys?.filter(({ provider }) => provider === of.id);
    return (
        <li>
            <div class="pool-head">
                <a href={to(['keys', of.id])}>{of.name}</a>
                <Shares
                    parts={states.map(([status]) => [status, of.keys[status]])}
                />
                <Counts of={of} />
            </div>
            {own ? (
                <ul class="pool-keys">
                    {own.map((entry) => (
                        <KeyLine key={entry.id} entry={entry} />
                    ))}
                </ul>
            ) : (
                <Reasons of={of.why ?? []} />
            )}
        </li>
    );
}

function Others({ of }: { of: Provider[] }) {
    return (
        <details class="more">
            <summary>{t('pools.others', { n: of.length })}</summary>
            <p class="links">
                {of.map(({ id, name }) => (
                    <a key={id} href={to(['keys', id], { add: 1 })}>
                        {name}
                    </a>
                ))}
            </p>
        </details>
    );
}

function Pools({
    providers,
    keys,
}: {
    providers: Provider[];
    keys: Key[] | null;
}) {
    const used = providers.filter((provider) => sizeOf(provider) > 0);
    const others = providers.filter((provider) => !sizeOf(provider));
    if (!used.length)
        return (
            <Empty>
                <p>{t('pools.none')}</p>
                <a href={to(['keys'], { add: 1 })}>{t('keys.add')}</a>
            </Empty>
        );
    return (
        <>
            <ul class="pools" tabIndex={0} aria-label={t('pools')}>
                {used.map((provider) => (
                    <Pool key={provider.id} of={provider} keys={keys} />
                ))}
            </ul>
            {others.length > 0 && <Others of={others} />}
        </>
    );
}

/* The keys themselves where there are few, read as often as the providers.
 * `ready`: what the section shows is known, and its height with it. */
export function usePools(providers: Resource<Provider[]>) {
    const all = providers.data?.reduce((sum, one) => sum + sizeOf(one), 0);
    const few = all !== undefined && all > 0 && all <= FEW;
    const list = useResource<KeyList>(few ? `/keys?page_size=${FEW}` : null, {
        everyMs: 5000,
    });
    return {
        providers,
        keys: few ? (list.data?.keys ?? null) : null,
        ready: providers.data
            ? !few || !!list.data || !!list.error
            : !!providers.error,
    };
}

export function PoolsSection({
    of: { providers, keys, ready },
}: {
    of: ReturnType<typeof usePools>;
}) {
    return (
        <Section
            title={t('pools')}
            flush
            actions={<a href={to(['keys'])}>{t('pools.all')}</a>}
        >
            {providers.error && !providers.data && (
                <Problem error={providers.error} again={providers.reload} />
            )}
            {!ready && <Waiting lines={9} />}
            {ready && providers.data && (
                <Pools providers={providers.data} keys={keys} />
            )}
        </Section>
    );
}
