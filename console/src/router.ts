/* Places are real paths below /console/: the gateway serves the page for all
 * of them, so that reloading and bookmarks work. */
import { useEffect, useState } from 'preact/hooks';

export interface Place {
    path: string[];
    query: URLSearchParams;
}

const BASE = '/console/';
const watchers = new Set<() => void>();

function decode(segment: string): string {
    try {
        return decodeURIComponent(segment);
    } catch {
        return segment;
    }
}

export function place(): Place {
    const { pathname, search } = window.location;
    const below = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : '';
    return {
        path: below.split('/').filter(Boolean).map(decode),
        query: new URLSearchParams(search),
    };
}

export function to(
    path: string[],
    query: Record<string, string | number | null | undefined> = {},
): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
        if (value !== null && value !== undefined && value !== '')
            search.set(name, String(value));
    const text = search.toString();
    return BASE + path.map(encodeURIComponent).join('/') + (text && `?${text}`);
}

export function go(href: string, replace = false): void {
    if (replace) window.history.replaceState(null, '', href);
    else window.history.pushState(null, '', href);
    for (const watcher of watchers) watcher();
}

/* Changes some of the place's parameters; null takes one out. */
export function adjust(
    changes: Record<string, string | number | null>,
    replace = false,
): void {
    const { path, query } = place();
    const all: Record<string, string | number | null> = {
        ...Object.fromEntries(query),
        ...changes,
    };
    go(to(path, all), replace);
}

export function usePlace(): Place {
    const [, turn] = useState(0);
    useEffect(() => {
        const watcher = () => turn((count) => count + 1);
        watchers.add(watcher);
        return () => {
            watchers.delete(watcher);
        };
    }, []);
    return place();
}

function isOurs(event: MouseEvent, link: HTMLAnchorElement): boolean {
    const plain =
        event.button === 0 &&
        !event.metaKey &&
        !event.ctrlKey &&
        !event.shiftKey &&
        !event.altKey;
    return (
        plain &&
        !event.defaultPrevented &&
        link.origin === window.location.origin &&
        link.pathname.startsWith(BASE) &&
        !link.hasAttribute('download') &&
        (!link.target || link.target === '_self')
    );
}

/* Links are plain <a>; a plain click on one of ours stays in the page. */
export function followLinks(): void {
    window.addEventListener('popstate', () => {
        for (const watcher of watchers) watcher();
    });
    document.addEventListener('click', (event) => {
        const link = (event.target as Element | null)?.closest?.('a');
        if (!link || !isOurs(event, link)) return;
        event.preventDefault();
        if (link.href !== window.location.href) go(link.href);
    });
}
