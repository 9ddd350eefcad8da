/* How the gateway is doing: every provider's keys, what went wrong with them
 * lately and what was done about it, figures over time. */
import { useEffect, useState } from 'preact/hooks';
import { query } from '../api';
import { compact, count, money, share, took } from '../format';
import { say, t } from '../i18n';
import { useLogKept, useResource } from '../resource';
import type { Provider, Stats, Totals } from '../types';
import {
    Choice,
    Empty,
    Notice,
    Page,
    Problem,
    Scroll,
    Section,
    Waiting,
} from '../ui/parts';
import { ChangesSection } from './changes';
import { Charts } from './charts';
import { PoolsSection, usePools } from './pools';

const spans = { '1h': 3600, '24h': 86400, '7d': 604800, '30d': 2592000 };
type Span = keyof typeof spans;
const groups = ['provider', 'model', 'key', 'auth_key'] as const;
type Group = (typeof groups)[number];

/* From when on, by the minute, so that equal questions have equal addresses. */
function useSince(span: Span): number {
    const from = () => Math.floor((Date.now() / 1000 - spans[span]) / 60) * 60;
    const [since, setSince] = useState(from);
    useEffect(() => {
        setSince(from());
        const timer = setInterval(() => setSince(from()), 60000);
        return () => clearInterval(timer);
    }, [span]);
    return since;
}

function Tile({
    name,
    value,
    note,
}: {
    name: string;
    value: string;
    note?: string;
}) {
    return (
        <div class="tile">
            <dt>{name}</dt>
            <dd>
                {value}
                {note && <small>{note}</small>}
            </dd>
        </div>
    );
}

function Tiles({ total }: { total: Totals | null }) {
    const tokens = total ? total.tokens_in + total.tokens_out : null;
    const again =
        total && total.requests ? total.attempts / total.requests : null;
    return (
        <dl class="tiles">
            <Tile
                name={t('stats.requests')}
                value={compact(total?.requests)}
                note={
                    again ? t('stats.perrequest', { n: again.toFixed(2) }) : ' '
                }
            />
            <Tile
                name={t('stats.success')}
                value={total ? share(total.ok, total.requests) : '–'}
                note={
                    total
                        ? t('stats.failed', { n: compact(total.errors) })
                        : ' '
                }
            />
            <Tile
                name={t('stats.firstbyte')}
                value={took(total?.first_byte_ms_p50)}
                note={
                    total
                        ? t('stats.p95', {
                              time: took(total.first_byte_ms_p95),
                          })
                        : ' '
                }
            />
            <Tile
                name={t('stats.tokens')}
                value={compact(tokens)}
                note={
                    total
                        ? t('stats.cached', {
                              share: share(
                                  total.tokens_cached,
                                  total.tokens_in,
                              ),
                          })
                        : ' '
                }
            />
            <Tile
                name={t('stats.cost')}
                value={money(total?.cost_usd)}
                note={t('stats.costnote')}
            />
        </dl>
    );
}

function Breakdown({ since, provider }: { since: number; provider: string }) {
    const [group, setGroup] = useState<Group>('provider');
    const stats = useResource<Stats>(
        `/stats${query({ since, group, provider, by: 'day' })}`,
    );
    const rows = stats.data?.series ?? [];
    return (
        <Section
            title={t('breakdown')}
            flush
            actions={
                <Choice
                    label={t('breakdown.by')}
                    value={group}
                    options={groups.map((name) => [name, say('group', name)])}
                    onChange={setGroup}
                />
            }
        >
            {stats.error && (
                <Problem
                    error={stats.error}
                    absent={t('absent.log')}
                    again={stats.reload}
                />
            )}
            {!stats.data && !stats.error && <Waiting lines={5} />}
            {stats.data && !rows.length && <Empty>{t('breakdown.none')}</Empty>}
            {rows.length > 0 && (
                <Scroll label={t('breakdown')}>
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">{say('group', group)}</th>
                                <th scope="col" class="number">
                                    {t('stats.requests')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.success')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.attempts')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.firstbyte95')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.tokens')}
                                </th>
                                <th scope="col" class="number">
                                    {t('stats.cost')}
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {rows.map(({ group: name, total }) => (
                                <tr key={name ?? ''}>
                                    <th scope="row" class="mono cut">
                                        {name || t('none')}
                                    </th>
                                    <td class="number">
                                        {count(total.requests)}
                                    </td>
                                    <td class="number">
                                        {share(total.ok, total.requests)}
                                    </td>
                                    <td class="number">
                                        {count(total.attempts)}
                                    </td>
                                    <td class="number">
                                        {took(total.first_byte_ms_p95)}
                                    </td>
                                    <td class="number">
                                        {compact(
                                            total.tokens_in + total.tokens_out,
                                        )}
                                    </td>
                                    <td class="number">
                                        {money(total.cost_usd)}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </Scroll>
            )}
        </Section>
    );
}

export function OverviewPage() {
    const [span, setSpan] = useState<Span>('24h');
    const [provider, setProvider] = useState('');
    const since = useSince(span);
    const kept = useLogKept();
    const by = span === '1h' ? 'minute' : span === '30d' ? 'day' : 'hour';
    const stats = useResource<Stats>(
        kept ? `/stats${query({ since, by, provider })}` : null,
        {
            everyMs: 15000,
        },
    );
    const providers = useResource<Provider[]>('/providers', { everyMs: 5000 });
    const pools = usePools(providers);
    const missing = kept === false || stats.error?.status === 404;
    return (
        <Page
            title={t('nav.overview')}
            actions={
                <>
                    <select
                        aria-label={t('provider')}
                        value={provider}
                        onChange={(event) =>
                            setProvider(event.currentTarget.value)
                        }
                    >
                        <option value="">{t('provider.all')}</option>
                        {providers.data?.map(({ id, name }) => (
                            <option key={id} value={id}>
                                {name}
                            </option>
                        ))}
                    </select>
                    <Choice
                        label={t('span')}
                        value={span}
                        options={(Object.keys(spans) as Span[]).map((name) => [
                            name,
                            say('span', name),
                        ])}
                        onChange={setSpan}
                    />
                </>
            }
        >
            {missing && <Notice>{t('absent.log')}</Notice>}
            {stats.error && !missing && (
                <Problem error={stats.error} again={stats.reload} />
            )}
            {!missing && (
                <Tiles total={stats.data?.series[0]?.total ?? null} />
            )}
            <div class={`columns health${pools.ready ? '' : ' unready'}`}>
                <PoolsSection of={pools} />
                <ChangesSection provider={provider} />
            </div>
            {/* What stands below the keys waits for their height. */}
            {!missing && pools.ready && <Charts stats={stats.data} />}
            {kept && !missing && pools.ready && (
                <Breakdown since={since} provider={provider} />
            )}
        </Page>
    );
}
