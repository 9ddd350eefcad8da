/* The words of the console. English is the reference; the compiler holds the
 * others to the same members. */
import { en } from './en';
import { zh } from './zh';

export type Words = Record<keyof typeof en, string>;
export type Word = keyof typeof en;

const languages = { en: en as Words, zh: zh as Words };
export type Language = keyof typeof languages;

const KEPT = 'one-balance.language';

function chosen(): Language {
    const kept = window.localStorage.getItem(KEPT);
    if (kept === 'en' || kept === 'zh') return kept;
    const asked = navigator.languages ?? [navigator.language];
    for (const tag of asked) {
        if (tag.toLowerCase().startsWith('zh')) return 'zh';
        if (tag.toLowerCase().startsWith('en')) return 'en';
    }
    return 'en';
}

let current: Language = chosen();
document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';

export function language(): string {
    return current === 'zh' ? 'zh-CN' : 'en-US';
}

export function languageName(): Language {
    return current;
}

export function setLanguage(next: Language): void {
    current = next;
    window.localStorage.setItem(KEPT, next);
    document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
}

export function t(
    word: Word,
    values: Record<string, string | number> = {},
): string {
    return languages[current][word].replace(
        /\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g,
        (whole, name, one?: string, others?: string) => {
            if (!(name in values)) return whole;
            const value = String(values[name]);
            return others === undefined ? value : value === '1' ? one! : others;
        },
    );
}

/* The words for a slug of the API, or the slug where there are none. */
export function say(family: string, slug: string | null | undefined): string {
    if (!slug) return '';
    const word = `${family}.${slug.replaceAll(' ', '_')}` as Word;
    return languages[current][word] ?? slug.replaceAll('_', ' ');
}
