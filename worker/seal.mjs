/* seal.mjs - opens what src/store/seal.c sealed: AES-256-GCM under a key that
 * is derived from the master key. */

const encoder = new TextEncoder();

export function fromHex(text) {
    const bytes = new Uint8Array(text.length / 2);
    for (let i = 0; i < bytes.length; i++)
        bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
    return bytes;
}

/* 64 hexadecimal digits, or 44 characters of base64. */
function masterBytes(text) {
    if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text);
    if (/^[A-Za-z0-9+/]{43}=$/.test(text))
        return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    throw new Error(
        'MASTER_KEY must be 64 hexadecimal digits or 44 characters of base64',
    );
}

async function derive(master, label, algorithm, usages) {
    const hmac = await crypto.subtle.importKey(
        'raw', master, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'],
    );
    const key = await crypto.subtle.sign('HMAC', hmac, encoder.encode(label));
    return crypto.subtle.importKey('raw', key, algorithm, false, usages);
}

export class Sealer {
    static async make(text) {
        const master = masterBytes(text.trim());
        const sealer = new Sealer();
        sealer.key = await derive(
            master, 'one-balance seal 1', 'AES-GCM', ['encrypt', 'decrypt'],
        );
        sealer.fingerprints = await derive(
            master, 'one-balance fingerprint 1',
            { name: 'HMAC', hash: 'SHA-256' }, ['sign'],
        );
        return sealer;
    }

    /* The secret's bytes; empty where it cannot be opened. */
    async open({ provider, sealed, fingerprint }) {
        const bytes = fromHex(sealed);
        const name = encoder.encode(`${provider}\0`);
        const place = new Uint8Array(name.length + 32);
        place.set(name);
        place.set(fromHex(fingerprint), name.length);
        if (bytes[0] !== 1) return new Uint8Array();
        try {
            return new Uint8Array(
                await crypto.subtle.decrypt(
                    {
                        name: 'AES-GCM',
                        iv: bytes.subarray(1, 13),
                        additionalData: place,
                    },
                    this.key,
                    bytes.subarray(13),
                ),
            );
        } catch {
            return new Uint8Array();
        }
    }
}
