/* What a page shows of the API: read anew when its path changes, kept on the
 * screen meanwhile. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get } from './api';

export interface Resource<T> {
    data: T | null;
    error: ApiError | null;
    /* A path is being read whose answer is not on the screen yet. */
    loading: boolean;
    /* Of what is on the screen. */
    path: string | null;
    reload: () => void;
    set: (data: T) => void;
}

interface State<T> {
    data: T | null;
    error: ApiError | null;
    path: string | null;
}

function known(error: unknown): ApiError {
    return error instanceof ApiError
        ? error
        : new ApiError(0, String((error as Error)?.message ?? error));
}

export function useResource<T>(
    path: string | null,
    { everyMs = 0 }: { everyMs?: number } = {},
): Resource<T> {
    const [state, setState] = useState<State<T>>({
        data: null,
        error: null,
        path: null,
    });
    const [turn, setTurn] = useState(0);
    const shown = useRef<string | null>(null);
    /* There is no such thing; asking again would not help. */
    const gone = useRef(false);
    useEffect(() => {
        if (path === null) return;
        const abort = new AbortController();
        get<T>(path, abort.signal).then(
            (data) => {
                shown.current = path;
                gone.current = false;
                setState({ data, error: null, path });
            },
            (error) => {
                if (abort.signal.aborted) return;
                gone.current = known(error).status === 404;
                /* What is on the screen stays when only a repetition fails. */
                setState((old) => ({
                    data: shown.current === path ? old.data : null,
                    error: known(error),
                    path,
                }));
            },
        );
        return () => abort.abort();
    }, [path, turn]);
    useEffect(() => {
        if (!everyMs || path === null) return;
        const timer = setInterval(() => {
            if (!document.hidden && !gone.current)
                setTurn((count) => count + 1);
        }, everyMs);
        return () => clearInterval(timer);
    }, [everyMs, path]);
    const reload = useCallback(() => setTurn((count) => count + 1), []);
    const set = useCallback(
        (data: T) => setState((old) => ({ ...old, data })),
        [],
    );
    return {
        data: state.data,
        error: state.error,
        loading: path !== null && state.path !== path,
        path: state.path,
        reload,
        set,
    };
}

/* Whether the gateway keeps a request log: asked once a visit, so that pages do
 * not ask for what is switched off. null: not known yet. */
let logAsked: Promise<boolean> | null = null;

export function useLogKept(): boolean | null {
    const [kept, setKept] = useState<boolean | null>(null);
    useEffect(() => {
        logAsked ??= get<{ enabled: boolean }>('/log').then(
            ({ enabled }) => enabled,
            (error) => {
                /* Other failures are those of the moment. */
                if (known(error).status !== 404) logAsked = null;
                return known(error).status !== 404;
            },
        );
        let here = true;
        void logAsked.then((answer) => here && setKept(answer));
        return () => {
            here = false;
        };
    }, []);
    return kept;
}

/* The value once it has stayed the same for a while. */
export function useSettled<T>(value: T, ms: number): T {
    const [settled, setSettled] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => setSettled(value), ms);
        return () => clearTimeout(timer);
    }, [value, ms]);
    return settled;
}
