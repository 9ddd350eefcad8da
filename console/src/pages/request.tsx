/* One request: what was asked, which keys were tried and what each said. */
import { bytes, compact, moment, money, took } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import { to } from '../router';
import type { Attempt, LogDetail } from '../types';
import { Dialog } from '../ui/dialog';
import {
    ActionBadge,
    Copy,
    Facts,
    HttpStatus,
    Problem,
    Waiting,
} from '../ui/parts';

function AttemptLine({
    attempt,
    at,
    whole,
}: {
    attempt: Attempt;
    at: number;
    whole: number;
}) {
    const scale = (ms: number) => (whole > 0 ? (100 * ms) / whole : 0);
    const good = attempt.status >= 200 && attempt.status < 300;
    return (
        <li class="attempt">
            <div class="attempt-head">
                <strong>{at + 1}</strong>
                <HttpStatus status={attempt.status} />
                {attempt.verdict && <ActionBadge action={attempt.verdict} />}
                <span>
                    {attempt.reason && attempt.reason !== 'ok'
                        ? say('reason', attempt.reason)
                        : ''}
                </span>
                <span class="number muted">
                    +{took(attempt.began_ms)} · {took(attempt.took_ms)}
                </span>
            </div>
            <svg
                class="timeline"
                viewBox="0 0 100 6"
                preserveAspectRatio="none"
                aria-hidden="true"
            >
                <rect class="track" width="100" height="6" />
                <rect
                    class={good ? 'good' : 'bad'}
                    x={Math.min(99, scale(attempt.began_ms))}
                    width={Math.max(1, scale(attempt.took_ms))}
                    height="6"
                />
            </svg>
            <div class="attempt-what">
                <span class="mono">
                    {attempt.provider}
                    {attempt.model ? `/${attempt.model}` : ''}
                </span>{' '}
                {attempt.key && (
                    <a
                        class="mono"
                        href={to(['keys', attempt.provider], {
                            key: attempt.key.id,
                        })}
                    >
                        {attempt.key.key}
                    </a>
                )}
            </div>
            {attempt.words && <q class="words">{attempt.words}</q>}
        </li>
    );
}

function Body({
    title,
    text,
}: {
    title: string;
    text: string | null | undefined;
}) {
    if (!text) return null;
    return (
        <details class="more">
            <summary>{title}</summary>
            <div class="code">
                <Copy text={text} />
                <pre tabIndex={0}>{text}</pre>
            </div>
        </details>
    );
}

export function RequestPanel({
    id,
    onClose,
}: {
    id: string;
    onClose: () => void;
}) {
    const detail = useResource<LogDetail>(
        `/requests/${encodeURIComponent(id)}`,
    );
    const request = detail.data;
    const attempts = Array.isArray(request?.attempts) ? request.attempts : [];
    return (
        <Dialog
            side
            wide
            title={
                <>
                    {t('request')}{' '}
                    {request && (
                        <small class="mono muted">{request.request_id}</small>
                    )}
                </>
            }
            onClose={onClose}
        >
            {detail.error && (
                <Problem
                    error={detail.error}
                    absent={t('request.gone')}
                    again={detail.reload}
                />
            )}
            {!request && !detail.error && <Waiting lines={10} />}
            {request && (
                <>
                    <p class="line">
                        <HttpStatus status={request.status} />{' '}
                        {say('reason', request.error)}
                        <span class="muted">
                            {' '}
                            {moment(request.at_ms / 1000)}
                        </span>
                    </p>
                    <Facts
                        of={[
                            [t('requests.route'), request.route],
                            [
                                t('request.asked'),
                                <span class="mono">
                                    {request.model_asked ?? '–'}
                                </span>,
                            ],
                            [
                                t('request.answered'),
                                <span class="mono">
                                    {request.provider ?? '–'}
                                    {request.model ? `/${request.model}` : ''}
                                </span>,
                            ],
                            [
                                t('key'),
                                request.key && request.provider ? (
                                    <a
                                        class="mono"
                                        href={to(['keys', request.provider], {
                                            key: request.key.id,
                                        })}
                                    >
                                        {request.key.key}
                                    </a>
                                ) : (
                                    '–'
                                ),
                            ],
                            [t('authkey'), request.auth_key ?? '–'],
                            [
                                t('request.times'),
                                t('request.timesof', {
                                    first: took(request.first_byte_ms),
                                    total: took(request.total_ms),
                                    waited: took(request.waited_ms),
                                }),
                            ],
                            [
                                t('stats.tokens'),
                                request.tokens
                                    ? t('request.tokens', {
                                          input: compact(request.tokens.input),
                                          output: compact(
                                              request.tokens.output,
                                          ),
                                          cached: compact(
                                              request.tokens.cached,
                                          ),
                                          reasoning: compact(
                                              request.tokens.reasoning,
                                          ),
                                      })
                                    : '–',
                            ],
                            [t('stats.cost'), money(request.cost_usd)],
                            [
                                t('request.size'),
                                `${bytes(request.bytes_in)} → ${bytes(request.bytes_out)}${request.stream ? ` · ${t('request.stream')}` : ''}`,
                            ],
                        ]}
                    />
                    <h3>{t('request.attempts', { n: attempts.length })}</h3>
                    <ol class="attempts">
                        {request.waited_ms > 0 && (
                            <li class="attempt waited muted">
                                {t('request.waited', {
                                    time: took(request.waited_ms),
                                })}
                            </li>
                        )}
                        {attempts.map((attempt, at) => (
                            <AttemptLine
                                key={at}
                                attempt={attempt}
                                at={at}
                                whole={request.total_ms}
                            />
                        ))}
                    </ol>
                    {request.metadata && (
                        <>
                            <h3>{t('request.metadata')}</h3>
                            <Facts
                                of={Object.entries(request.metadata).map(
                                    ([name, value]) => [
                                        name,
                                        typeof value === 'string'
                                            ? value
                                            : JSON.stringify(value),
                                    ],
                                )}
                            />
                        </>
                    )}
                    <Body
                        title={t('request.body')}
                        text={request.request_body}
                    />
                    <Body
                        title={t('request.response')}
                        text={request.response_body}
                    />
                </>
            )}
        </Dialog>
    );
}
