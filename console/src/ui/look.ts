/* Light, dark, or as the system has it. */
import { useEffect, useState } from 'preact/hooks';

export type Look = 'auto' | 'light' | 'dark';
const KEPT = 'one-balance.look';
const watchers = new Set<() => void>();
const system = window.matchMedia('(prefers-color-scheme: dark)');

export function chosenLook(): Look {
    const kept = window.localStorage.getItem(KEPT);
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

function apply(): void {
    const look = chosenLook();
    const dark = look === 'dark' || (look === 'auto' && system.matches);
    document.documentElement.dataset.look = dark ? 'dark' : 'light';
    for (const watcher of watchers) watcher();
}

export function setLook(look: Look): void {
    window.localStorage.setItem(KEPT, look);
    apply();
}

export function startLook(): void {
    system.addEventListener('change', apply);
    apply();
}

/* Changes when the colours do. */
export function useLook(): string {
    const [look, setState] = useState(
        document.documentElement.dataset.look ?? '',
    );
    useEffect(() => {
        const watcher = () =>
            setState(document.documentElement.dataset.look ?? '');
        watchers.add(watcher);
        return () => {
            watchers.delete(watcher);
        };
    }, []);
    return look;
}
