/* Names of one's own and what they stand for; models in use and how they do. */
import { useState } from 'preact/hooks';
import { count, remaining } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import { go, to } from '../router';
import {
    Badge,
    Button,
    Empty,
    Page,
    Problem,
    Scroll,
    SearchBox,
    Section,
    Waiting,
} from '../ui/parts';

interface Entry {
    provider: string;
    model: string;
}

interface Named {
    name: string;
    entries: Entry[];
}

interface Used extends Entry {
    requests_today: number;
    ready: number;
    fresh: number;
    resting: number;
    waiting: number;
    circuit: 'open' | 'closed';
    next_try_at_ms: number | null;
}

export interface Models {
    models: Named[];
    in_use: Used[];
}

function Circuit({ of }: { of: Used }) {
    if (of.circuit === 'closed')
        return <Badge kind="good">{say('circuit', 'closed')}</Badge>;
    return (
        <>
            <Badge kind="bad">{say('circuit', 'open')}</Badge>{' '}
            {of.next_try_at_ms && (
                <span class="muted">
                    {t('models.nexttry', {
                        span: remaining(of.next_try_at_ms / 1000),
                    })}
                </span>
            )}
        </>
    );
}

function tryOut(model: string) {
    go(to(['playground'], { model }));
}

function NamedList({ named }: { named: Named[] }) {
    return (
        <ul class="named">
            {named.map(({ name, entries }) => (
                <li key={name}>
                    <strong class="mono">{name}</strong>
                    <ol>
                        {entries.map((entry, at) => (
                            <li key={at} class="mono">
                                {entry.provider}/{entry.model}
                            </li>
                        ))}
                    </ol>
                    <Button small icon="play" onClick={() => tryOut(name)}>
                        {t('models.try')}
                    </Button>
                </li>
            ))}
        </ul>
    );
}

const NUMBERS = [
    ['models.today', 'requests_today'],
    ['models.ready', 'ready'],
    ['models.resting', 'resting'],
    ['models.waiting', 'waiting'],
] as const;

function UsedRow({ used }: { used: Used }) {
    return (
        <tr>
            <th scope="row" class="mono cut">
                {used.model}
            </th>
            <td>
                <a href={to(['keys', used.provider])}>{used.provider}</a>
            </td>
            {NUMBERS.map(([name, member]) => (
                <td key={name} class="number" data-name={t(name)}>
                    {count(used[member])}
                </td>
            ))}
            <td data-name={t('models.circuit')}>
                <Circuit of={used} />
            </td>
            <td class="row-acts">
                <Button
                    small
                    icon="play"
                    onClick={() => tryOut(`${used.provider}/${used.model}`)}
                >
                    {t('models.try')}
                </Button>
            </td>
        </tr>
    );
}

function UsedTable({ list }: { list: Used[] }) {
    return (
        <Scroll label={t('models.seen')}>
            <table class="models">
                <thead>
                    <tr>
                        <th scope="col">{t('model')}</th>
                        <th scope="col">{t('provider')}</th>
                        {NUMBERS.map(([name]) => (
                            <th key={name} scope="col" class="number">
                                {t(name)}
                            </th>
                        ))}
                        <th scope="col">{t('models.circuit')}</th>
                        <th scope="col">
                            <span class="hidden">{t('acts')}</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {list.map((used) => (
                        <UsedRow
                            key={`${used.provider}/${used.model}`}
                            used={used}
                        />
                    ))}
                </tbody>
            </table>
        </Scroll>
    );
}

/* Every word of it, in any case. */
function matcher(typed: string) {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    return (text: string) => {
        const lower = text.toLowerCase();
        return words.every((word) => lower.includes(word));
    };
}

const nameOf = ({ provider, model }: Entry) => `${provider}/${model}`;

function Lists({ models }: { models: Models }) {
    const [typed, setTyped] = useState('');
    const matches = matcher(typed);
    const named = models.models.filter(({ name, entries }) =>
        matches([name, ...entries.map(nameOf)].join(' ')),
    );
    const used = models.in_use.filter((entry) => matches(nameOf(entry)));
    return (
        <>
            <div class="filters">
                <SearchBox
                    label={t('models.search')}
                    typed={typed}
                    onType={setTyped}
                />
            </div>
            <Section
                title={t('models.named')}
                note={t('models.namednote')}
                flush
            >
                {!models.models.length && (
                    <Empty>
                        <p>{t('models.nonamed')}</p>
                        <pre class="mono">
                            {
                                '"models": { "smart": ["google-ai-studio/gemini-2.5-pro"] }'
                            }
                        </pre>
                    </Empty>
                )}
                {models.models.length > 0 && !named.length && (
                    <Empty>{t('models.nomatch')}</Empty>
                )}
                <NamedList named={named} />
            </Section>
            <Section title={t('models.seen')} note={t('models.seennote')} flush>
                {!used.length && (
                    <Empty>
                        {t(
                            models.in_use.length
                                ? 'models.nomatch'
                                : 'models.noseen',
                        )}
                    </Empty>
                )}
                {used.length > 0 && <UsedTable list={used} />}
            </Section>
        </>
    );
}

export function ModelsPage() {
    const models = useResource<Models>('/models', { everyMs: 15000 });
    return (
        <Page title={t('nav.models')}>
            {models.error && (
                <Problem
                    error={models.error}
                    absent={t('absent.models')}
                    again={models.reload}
                />
            )}
            {!models.data && !models.error && (
                <section class="panel flush">
                    <Waiting lines={8} />
                </section>
            )}
            {models.data && <Lists models={models.data} />}
        </Page>
    );
}
