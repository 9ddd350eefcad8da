/* Numbers and times as people read them, in the language that is shown. */
import { language, t } from './i18n';

const kept = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numbers(name: string, options: Intl.NumberFormatOptions) {
    const id = `${language()} ${name}`;
    let format = kept.get(id) as Intl.NumberFormat | undefined;
    if (!format) {
        format = new Intl.NumberFormat(language(), options);
        kept.set(id, format);
    }
    return format;
}

function dates(name: string, options: Intl.DateTimeFormatOptions) {
    const id = `${language()} ${name}`;
    let format = kept.get(id) as Intl.DateTimeFormat | undefined;
    if (!format) {
        format = new Intl.DateTimeFormat(language(), options);
        kept.set(id, format);
    }
    return format;
}

export const NOTHING = '–';

export function count(n: number | null | undefined): string {
    return n == null ? NOTHING : numbers('whole', {}).format(n);
}

export function compact(n: number | null | undefined): string {
    if (n == null) return NOTHING;
    if (Math.abs(n) < 10000) return count(Math.round(n * 100) / 100);
    return numbers('compact', {
        notation: 'compact',
        maximumFractionDigits: 1,
    }).format(n);
}

export function share(part: number, whole: number): string {
    if (!whole) return NOTHING;
    /* 99.97% must not read as 100%. */
    const value = part / whole;
    const digits = value > 0.99 && value < 1 ? 2 : 1;
    const cut = part < whole ? Math.min(value, 0.9999) : value;
    return numbers(`share${digits}`, {
        style: 'percent',
        maximumFractionDigits: digits,
    }).format(cut);
}

export function money(usd: number | null | undefined): string {
    if (usd == null) return NOTHING;
    const small = Math.abs(usd) > 0 && Math.abs(usd) < 0.1;
    return numbers(small ? 'cents' : 'money', {
        style: 'currency',
        currency: 'USD',
        currencyDisplay: 'narrowSymbol',
        ...(small && { maximumSignificantDigits: 2 }),
    }).format(usd);
}

export function bytes(n: number | null | undefined): string {
    if (n == null) return NOTHING;
    if (n < 1000) return `${n} B`;
    const units = ['kB', 'MB', 'GB', 'TB'];
    let value = n;
    let unit = -1;
    while (value >= 1000 && unit < units.length - 1) {
        value /= 1000;
        unit++;
    }
    return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function took(ms: number | null | undefined): string {
    if (ms == null) return NOTHING;
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 10000) return `${(ms / 1000).toFixed(2)} s`;
    if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
    return span(ms / 1000);
}

/* A length of time, in its two largest units: "3 h 20 min". */
export function span(seconds: number): string {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return t('time.s', { n: s });
    const m = Math.floor(s / 60);
    if (m < 60) {
        const rest = s % 60;
        const minutes = t('time.min', { n: m });
        return rest && m < 10
            ? `${minutes} ${t('time.s', { n: rest })}`
            : minutes;
    }
    const h = Math.floor(m / 60);
    if (h < 24) {
        const hours = t('time.h', { n: h });
        return m % 60 ? `${hours} ${t('time.min', { n: m % 60 })}` : hours;
    }
    const d = Math.floor(h / 24);
    const days = t('time.d', { n: d });
    return h % 24 && d < 10 ? `${days} ${t('time.h', { n: h % 24 })}` : days;
}

/* In its largest unit alone. */
export function rough(seconds: number): string {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return t('time.s', { n: s });
    if (s < 3600) return t('time.min', { n: Math.floor(s / 60) });
    if (s < 86400) return t('time.h', { n: Math.floor(s / 3600) });
    return t('time.d', { n: Math.floor(s / 86400) });
}

export function ago(at: number | null | undefined): string {
    if (at == null) return t('time.never');
    const seconds = Date.now() / 1000 - at;
    if (seconds < 5) return t('time.now');
    return t('time.ago', { span: rough(seconds) });
}

export function remaining(until: number): string {
    const seconds = until - Date.now() / 1000;
    if (seconds <= 0) return t('time.over');
    return seconds > 600 ? rough(seconds) : span(seconds);
}

export function moment(at: number | null | undefined): string {
    if (at == null) return NOTHING;
    return dates('moment', { dateStyle: 'medium', timeStyle: 'medium' }).format(
        at * 1000,
    );
}

export function clock(atMs: number): string {
    const old = Date.now() - atMs > 20 * 3600 * 1000;
    return dates(old ? 'day' : 'clock', {
        hour12: false,
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        ...(old && { month: '2-digit', day: '2-digit' }),
    }).format(atMs);
}

export function day(at: number): string {
    return dates('date', { dateStyle: 'medium' }).format(at * 1000);
}
