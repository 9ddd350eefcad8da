/* Small parts that every page is made of. */
import { type ComponentChildren, type VNode, cloneElement } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { moment, remaining } from '../format';
import { say, t } from '../i18n';
import type { Key, KeyStatus } from '../types';
import { Icon, type IconName } from './icon';

export function Page({
    title,
    actions,
    children,
}: {
    title: string;
    actions?: ComponentChildren;
    children: ComponentChildren;
}) {
    useEffect(() => {
        document.title = `${title} · One Balance`;
    }, [title]);
    return (
        <div class="page">
            <div class="page-head">
                <h1>{title}</h1>
                {actions && <div class="actions">{actions}</div>}
            </div>
            {children}
        </div>
    );
}

export function Section({
    title,
    note,
    actions,
    children,
    flush,
}: {
    title: string;
    note?: ComponentChildren;
    actions?: ComponentChildren;
    children: ComponentChildren;
    flush?: boolean;
}) {
    const id = useId();
    return (
        <section class={flush ? 'panel flush' : 'panel'} aria-labelledby={id}>
            <div class="panel-head">
                <h2 id={id}>{title}</h2>
                {note && <span class="muted">{note}</span>}
                {actions && <div class="actions">{actions}</div>}
            </div>
            {children}
        </section>
    );
}

export function Button({
    icon,
    kind = 'plain',
    label,
    children,
    ...rest
}: {
    icon?: IconName;
    kind?: 'plain' | 'main' | 'danger' | 'quiet';
    label?: string;
    children?: ComponentChildren;
    onClick?: (event: MouseEvent) => void;
    disabled?: boolean;
    type?: 'button' | 'submit';
    pressed?: boolean;
    small?: boolean;
    expanded?: boolean;
    controls?: string;
}) {
    const {
        pressed,
        small,
        type = 'button',
        expanded,
        controls,
        ...others
    } = rest;
    return (
        <button
            {...others}
            type={type}
            class={`button ${kind}${small ? ' small' : ''}${children ? '' : ' only-icon'}`}
            aria-label={label}
            title={label}
            aria-pressed={pressed}
            aria-expanded={expanded}
            aria-controls={controls}
        >
            {icon && <Icon name={icon} />}
            {children}
        </button>
    );
}

/* A control with its name above and a hint below. */
export function Field({
    label,
    hint,
    wide,
    children,
}: {
    label: string;
    hint?: ComponentChildren;
    wide?: boolean;
    children: VNode<any>;
}) {
    const id = useId();
    return (
        <div class={wide ? 'field wide' : 'field'}>
            <label class="field-label" for={id}>
                {label}
            </label>
            {cloneElement(children, {
                id,
                'aria-describedby': hint ? `${id}-hint` : undefined,
            })}
            {hint && (
                <span class="hint" id={`${id}-hint`}>
                    {hint}
                </span>
            )}
        </div>
    );
}

/* What may be wider than the page, and is scrolled by keys as well. */
export function Scroll({
    label,
    children,
}: {
    label: string;
    children: ComponentChildren;
}) {
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label={label}>
            {children}
        </div>
    );
}

export function SearchBox({
    label,
    typed,
    onType,
}: {
    label: string;
    typed: string;
    onType: (text: string) => void;
}) {
    return (
        <div class="search">
            <Icon name="search" />
            <input
                type="search"
                placeholder={label}
                aria-label={label}
                value={typed}
                onInput={(event) => onType(event.currentTarget.value)}
            />
        </div>
    );
}

/* One of a few, as a row of buttons. */
export function Choice<T extends string>({
    label,
    value,
    options,
    onChange,
}: {
    label: string;
    value: T;
    options: [T, string][];
    onChange: (value: T) => void;
}) {
    return (
        <div class="choice" role="group" aria-label={label}>
            {options.map(([option, text]) => (
                <button
                    key={option}
                    type="button"
                    aria-pressed={option === value}
                    onClick={() => onChange(option)}
                >
                    {text}
                </button>
            ))}
        </div>
    );
}

export function Notice({
    kind = 'info',
    children,
}: {
    kind?: 'info' | 'warning' | 'bad' | 'good';
    children: ComponentChildren;
}) {
    return (
        <div
            class={`notice ${kind}`}
            role={kind === 'bad' ? 'alert' : 'status'}
        >
            <Icon
                name={
                    kind === 'info'
                        ? 'info'
                        : kind === 'good'
                          ? 'check'
                          : 'warning'
                }
            />
            <div>{children}</div>
        </div>
    );
}

/* Why something is not there, and what can be done. `absent` is what 404
 * means here. */
export function Problem({
    error,
    absent,
    again,
}: {
    error: ApiError;
    absent?: string;
    again?: () => void;
}) {
    if (error.status === 404 && absent) return <Notice>{absent}</Notice>;
    if (error.status === 401) return null;
    return (
        <Notice kind="bad">
            <p>{error.message}</p>
            {error.retryAfterS > 0 && (
                <p>{t('failed.wait', { n: error.retryAfterS })}</p>
            )}
            {again && (
                <Button small onClick={again}>
                    {t('again')}
                </Button>
            )}
        </Notice>
    );
}

export function Empty({ children }: { children: ComponentChildren }) {
    return <div class="empty">{children}</div>;
}

/* Lines that stand where text will be, so that nothing moves when it comes. */
export function Waiting({ lines = 3 }: { lines?: number }) {
    return (
        <div
            class="waiting"
            aria-busy="true"
            aria-label={t('loading')}
            role="status"
        >
            {Array.from({ length: lines }, (_, at) => (
                <span key={at} />
            ))}
        </div>
    );
}

export function Badge({
    kind,
    icon,
    title,
    children,
}: {
    kind: 'good' | 'warning' | 'bad' | 'plain' | 'info';
    icon?: IconName;
    title?: string;
    children: ComponentChildren;
}) {
    return (
        <span class={`badge ${kind}`} title={title}>
            {icon && <Icon name={icon} size={12} />}
            {children}
        </span>
    );
}

const statusKinds = {
    active: 'good',
    cooling: 'warning',
    blocked: 'bad',
} as const;

export function StatusBadge({ status }: { status: KeyStatus }) {
    return (
        <Badge kind={statusKinds[status]} icon={status}>
            {say('status', status)}
        </Badge>
    );
}

/* Why a key is not active, for which model, and until when. */
export function StatusNote({ entry }: { entry: Key }) {
    if (entry.status === 'blocked')
        return <span class="muted">{say('reason', entry.blocked_reason)}</span>;
    if (!entry.cooldowns.length) return null;
    const first = entry.cooldowns.reduce((a, b) => (a.until < b.until ? a : b));
    const more = entry.cooldowns.length - 1;
    const words = [
        say('reason', first.reason),
        t('cooldown.back', { span: remaining(first.until) }),
        first.model ?? t('cooldown.all'),
    ].join(' · ');
    return (
        <span class="muted" title={`${words} · ${moment(first.until)}`}>
            {words}
            {more > 0 && ` +${more}`}
        </span>
    );
}

const actionKinds: Record<
    string,
    'good' | 'warning' | 'bad' | 'plain' | 'info'
> = {
    deliver: 'plain',
    deliver_network: 'info',
    cool: 'warning',
    exhausted: 'warning',
    deny_model: 'warning',
    block: 'bad',
    retry: 'info',
    activate: 'good',
    revive: 'good',
};

export function ActionBadge({ action }: { action: string }) {
    return (
        <Badge kind={actionKinds[action] ?? 'plain'}>
            {say('action', action)}
        </Badge>
    );
}

/* An HTTP status; 0: there was no answer. */
export function HttpStatus({ status }: { status: number }) {
    const kind =
        status >= 200 && status < 400
            ? 'good'
            : status >= 400 && status < 500
              ? 'warning'
              : 'bad';
    return <Badge kind={kind}>{status || t('status.none')}</Badge>;
}

export function Copy({ text, label }: { text: string; label?: string }) {
    const [done, setDone] = useState(false);
    const area = useRef<HTMLSpanElement>(null);
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(text);
        } catch {
            /* Pages without TLS have no clipboard; the old way has. */
            const box = document.createElement('textarea');
            box.value = text;
            area.current?.append(box);
            box.select();
            document.execCommand('copy');
            box.remove();
        }
        setDone(true);
        setTimeout(() => setDone(false), 1500);
    };
    return (
        <span class="copy" ref={area}>
            <Button
                small
                kind="quiet"
                icon={done ? 'check' : 'copy'}
                label={label ?? t('copy')}
                onClick={copy}
            />
            <span class="hidden" role="status">
                {done ? t('copied') : ''}
            </span>
        </span>
    );
}

export function Facts({ of }: { of: [string, ComponentChildren][] }) {
    return (
        <dl class="facts">
            {of.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            ))}
        </dl>
    );
}

/* How much of a limit is used. */
export function MeterBar({ used, limit }: { used: number; limit: number }) {
    const part = limit > 0 ? Math.min(1, used / limit) : 1;
    const kind = part >= 1 ? 'bad' : part >= 0.8 ? 'warning' : 'good';
    return (
        <svg
            class={`meter ${kind}`}
            viewBox="0 0 100 4"
            preserveAspectRatio="none"
            aria-hidden="true"
        >
            <rect class="track" width="100" height="4" />
            <rect class="part" width={part * 100} height="4" />
        </svg>
    );
}

/* Parts of a whole side by side. */
export function Shares({ parts }: { parts: [string, number][] }) {
    const whole = parts.reduce((sum, [, n]) => sum + n, 0);
    let at = 0;
    return (
        <svg
            class="shares"
            viewBox="0 0 100 6"
            preserveAspectRatio="none"
            aria-hidden="true"
        >
            <rect class="track" width="100" height="6" />
            {parts.map(([kind, n]) => {
                const width = whole ? (100 * n) / whole : 0;
                const x = at;
                at += width;
                return (
                    <rect
                        key={kind}
                        class={kind}
                        x={x}
                        width={width}
                        height="6"
                    />
                );
            })}
        </svg>
    );
}

export function Pager({
    page,
    pages,
    onPage,
}: {
    page: number;
    pages: number;
    onPage: (page: number) => void;
}) {
    const [typed, setTyped] = useState(String(page));
    useEffect(() => setTyped(String(page)), [page]);
    const turn = () => {
        const wanted = Math.min(
            pages,
            Math.max(1, Math.round(Number(typed)) || page),
        );
        setTyped(String(wanted));
        if (wanted !== page) onPage(wanted);
    };
    return (
        <nav class="pager" aria-label={t('pager')}>
            <Button
                small
                icon="left"
                label={t('pager.back')}
                disabled={page <= 1}
                onClick={() => onPage(page - 1)}
            />
            <form
                onSubmit={(event) => {
                    event.preventDefault();
                    turn();
                }}
            >
                <input
                    class="page-number"
                    inputMode="numeric"
                    aria-label={t('pager.page')}
                    value={typed}
                    onInput={(event) => setTyped(event.currentTarget.value)}
                    onBlur={turn}
                />
            </form>
            <span class="muted">/ {pages}</span>
            <Button
                small
                icon="right"
                label={t('pager.on')}
                disabled={page >= pages}
                onClick={() => onPage(page + 1)}
            />
        </nav>
    );
}
