/* Names of one's own and what they stand for; models in use and how they do. */
import { count, remaining } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import { to } from '../router';
import {
    Badge,
    Button,
    Empty,
    Page,
    Problem,
    Section,
    Waiting,
} from '../ui/parts';
import { go } from '../router';

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

export function ModelsPage() {
    const models = useResource<Models>('/models', { everyMs: 15000 });
    const named = models.data?.models ?? [];
    const seen = models.data?.in_use ?? [];
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
            {models.data && (
                <>
                    <Section
                        title={t('models.named')}
                        note={t('models.namednote')}
                        flush
                    >
                        {!named.length && (
                            <Empty>
                                <p>{t('models.nonamed')}</p>
                                <pre class="mono">
                                    {
                                        '"models": { "smart": ["google-ai-studio/gemini-2.5-pro"] }'
                                    }
                                </pre>
                            </Empty>
                        )}
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
                                    <Button
                                        small
                                        icon="play"
                                        onClick={() => tryOut(name)}
                                    >
                                        {t('models.try')}
                                    </Button>
                                </li>
                            ))}
                        </ul>
                    </Section>
                    <Section
                        title={t('models.seen')}
                        note={t('models.seennote')}
                        flush
                    >
                        {!seen.length && <Empty>{t('models.noseen')}</Empty>}
                        {seen.length > 0 && (
                            <div
                                class="scroll"
                                tabIndex={0}
                                role="region"
                                aria-label={t('models.seen')}
                            >
                                <table class="models">
                                    <thead>
                                        <tr>
                                            <th scope="col">{t('model')}</th>
                                            <th scope="col">{t('provider')}</th>
                                            <th scope="col" class="number">
                                                {t('models.today')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('models.ready')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('models.resting')}
                                            </th>
                                            <th scope="col" class="number">
                                                {t('models.waiting')}
                                            </th>
                                            <th scope="col">
                                                {t('models.circuit')}
                                            </th>
                                            <th scope="col">
                                                <span class="hidden">
                                                    {t('acts')}
                                                </span>
                                            </th>
                                        </tr>
                                    </thead>
                                    <tbody>
                                        {seen.map((used) => (
                                            <tr
                                                key={`${used.provider}/${used.model}`}
                                            >
                                                <th
                                                    scope="row"
                                                    class="mono cut"
                                                >
                                                    {used.model}
                                                </th>
                                                <td>
                                                    <a
                                                        href={to([
                                                            'keys',
                                                            used.provider,
                                                        ])}
                                                    >
                                                        {used.provider}
                                                    </a>
                                                </td>
                                                <td
                                                    class="number"
                                                    data-name={t(
                                                        'models.today',
                                                    )}
                                                >
                                                    {count(used.requests_today)}
                                                </td>
                                                <td
                                                    class="number"
                                                    data-name={t(
                                                        'models.ready',
                                                    )}
                                                >
                                                    {count(used.ready)}
                                                </td>
                                                <td
                                                    class="number"
                                                    data-name={t(
                                                        'models.resting',
                                                    )}
                                                >
                                                    {count(used.resting)}
                                                </td>
                                                <td
                                                    class="number"
                                                    data-name={t(
                                                        'models.waiting',
                                                    )}
                                                >
                                                    {count(used.waiting)}
                                                </td>
                                                <td
                                                    data-name={t(
                                                        'models.circuit',
                                                    )}
                                                >
                                                    <Circuit of={used} />
                                                </td>
                                                <td class="row-acts">
                                                    <Button
                                                        small
                                                        icon="play"
                                                        onClick={() =>
                                                            tryOut(
                                                                `${used.provider}/${used.model}`,
                                                            )
                                                        }
                                                    >
                                                        {t('models.try')}
                                                    </Button>
                                                </td>
                                            </tr>
                                        ))}
                                    </tbody>
                                </table>
                            </div>
                        )}
                    </Section>
                </>
            )}
        </Page>
    );
}
