/* What the page remembers by itself. */

const KEPT = 'one-balance.session';

/* Whether a session may be open: until when it lasts at most. Without one the
 * API is not asked, so that a first visit does not begin with a refusal. */
export function mayBeSignedIn(): boolean {
    return Number(window.localStorage.getItem(KEPT)) > Date.now();
}

export function rememberSession(open: boolean): void {
    if (open)
        window.localStorage.setItem(
            KEPT,
            String(Date.now() + 12 * 3600 * 1000),
        );
    else window.localStorage.removeItem(KEPT);
}

/* The auth key of this visit. It is kept nowhere but in the page's memory, for
 * the playground, which asks for it again after a reload. */
let authKey = '';

export function rememberAuthKey(key: string): void {
    authKey = key;
}

export function rememberedAuthKey(): string {
    return authKey;
}
