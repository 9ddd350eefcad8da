/* The settings in force: the configuration as it was read, with what was left
 * out filled in, and what this process is. */
import { bytes, count, moment, span } from '../format';
import { t } from '../i18n';
import { useResource } from '../resource';
import { Badge, Facts, Page, Problem, Section, Waiting } from '../ui/parts';

type Json =
    string | number | boolean | null | Json[] | { [name: string]: Json };

interface Settings {
    version?: string;
    uptime_s?: number;
    database?: string;
    listen?: string;
    threads?: number;
    [name: string]: Json | undefined;
}

interface Log {
    enabled: boolean;
    bodies: boolean;
    rows: number;
    bytes: number;
    bytes_max: number;
    days_max: number;
    oldest_ms: number | null;
    lost: number;
}

const ofProcess = ['version', 'uptime_s', 'database', 'listen', 'threads'];

function Value({ of }: { of: Json }) {
    if (of === null) return <span class="muted">–</span>;
    if (typeof of === 'boolean') return <>{of ? t('yes') : t('no')}</>;
    if (typeof of === 'number') return <span class="mono">{count(of)}</span>;
    if (typeof of === 'string') return <span class="mono">{of}</span>;
    if (Array.isArray(of)) {
        const flat = of.every(
            (item) => item === null || typeof item !== 'object',
        );
        return flat ? (
            <span class="mono">{of.length ? of.join(', ') : '–'}</span>
        ) : (
            <>
                {of.map((item, at) => (
                    <Value key={at} of={item} />
                ))}
            </>
        );
    }
    return (
        <dl class="nested">
            {Object.entries(of).map(([name, value]) => (
                <div key={name}>
                    <dt class="mono">{name}</dt>
                    <dd>
                        <Value of={value} />
                    </dd>
                </div>
            ))}
        </dl>
    );
}

function isGroup(value: Json | undefined): value is { [name: string]: Json } {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function LogSection() {
    const log = useResource<Log>('/log');
    const of = log.data;
    return (
        <Section title={t('settings.log')}>
            {log.error && (
                <Problem
                    error={log.error}
                    absent={t('absent.log')}
                    again={log.reload}
                />
            )}
            {!of && !log.error && <Waiting lines={4} />}
            {of && (
                <Facts
                    of={[
                        [
                            t('settings.logon'),
                            of.enabled ? (
                                <Badge kind="good">{t('yes')}</Badge>
                            ) : (
                                <Badge kind="plain">{t('no')}</Badge>
                            ),
                        ],
                        [t('settings.bodies'), of.bodies ? t('yes') : t('no')],
                        [t('settings.rows'), count(of.rows)],
                        [
                            t('settings.bytes'),
                            `${bytes(of.bytes)} / ${bytes(of.bytes_max)}`,
                        ],
                        [t('settings.days'), count(of.days_max)],
                        [
                            t('settings.oldest'),
                            of.oldest_ms ? moment(of.oldest_ms / 1000) : '–',
                        ],
                        [t('settings.lost'), count(of.lost)],
                    ]}
                />
            )}
        </Section>
    );
}

export function SettingsPage() {
    const settings = useResource<Settings>('/settings');
    const of = settings.data;
    const config = of
        ? Object.fromEntries(
              Object.entries(of).filter(([name]) => !ofProcess.includes(name)),
          )
        : {};
    const entries = Object.entries(config) as [string, Json][];
    const single = entries.filter(([, value]) => !isGroup(value));
    const grouped = entries.filter(
        (entry): entry is [string, { [name: string]: Json }] =>
            isGroup(entry[1]),
    );
    return (
        <Page title={t('nav.settings')}>
            <p class="lead">{t('settings.lead')}</p>
            {settings.error && (
                <Problem
                    error={settings.error}
                    absent={t('absent.settings')}
                    again={settings.reload}
                />
            )}
            <div class="settings">
                {!settings.error && (
                    <Section title={t('settings.process')}>
                        {!of && <Waiting lines={5} />}
                        {of && (
                            <Facts
                                of={[
                                    [
                                        t('settings.version'),
                                        <span class="mono">
                                            {of.version ?? '–'}
                                        </span>,
                                    ],
                                    [
                                        t('settings.uptime'),
                                        of.uptime_s === undefined
                                            ? '–'
                                            : span(of.uptime_s),
                                    ],
                                    [
                                        t('settings.listen'),
                                        <span class="mono">
                                            {of.listen ?? '–'}
                                        </span>,
                                    ],
                                    [
                                        t('settings.database'),
                                        <span class="mono">
                                            {of.database ?? '–'}
                                        </span>,
                                    ],
                                    [t('settings.threads'), count(of.threads)],
                                ]}
                            />
                        )}
                    </Section>
                )}
                <LogSection />
                {single.length > 0 && (
                    <Section title={t('settings.general')}>
                        <Facts
                            of={single.map(([name, value]) => [
                                name,
                                <Value of={value} />,
                            ])}
                        />
                    </Section>
                )}
                {grouped.map(([name, value]) => (
                    <Section key={name} title={name}>
                        <Facts
                            of={Object.entries(value).map(([member, item]) => [
                                member,
                                <Value of={item} />,
                            ])}
                        />
                    </Section>
                ))}
            </div>
        </Page>
    );
}
