/* The auth key of this visit. It is kept nowhere but in the page's memory, for
 * the playground, which asks for it again after a reload. */
let authKey = '';

export function rememberAuthKey(key: string): void {
    authKey = key;
}

export function rememberedAuthKey(): string {
    return authKey;
}
