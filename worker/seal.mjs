/* seal.mjs - secrets at rest as src/store/seal.c has them: AES-256-GCM and
 * fingerprints under keys that are derived from the master key. */

const encoder = new TextEncoder();

export function fromHex(text) {
    const bytes = new Uint8Array(text.length / 2);
    for (let i = 0; i < bytes.length; i++)
        bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
    return bytes;
}

export const toHex = (bytes) =>
    Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/* 64 hexadecimal digits, or 44 characters of base64. */
function masterBytes(text) {
    if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text);
    if (/^[A-Za-z0-9+/]{43}=$/.test(text))
        return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    throw new Error(
        'MASTER_KEY must be 64 hexadecimal digits or 44 characters of base64',
    );
}

/* Binds a sealed secret to its provider and its row. */
function place(provider, fingerprint) {
    return new Uint8Array([...encoder.encode(`${provider}\0`), ...fingerprint]);
}

async function derive(master, label, algorithm, usages) {
    const hmac = await crypto.subtle.importKey(
        'raw',
        master,
        { name: 'HMAC', hash: 'SHA-256' },
        false,
        ['sign'],
    );
    const key = await crypto.subtle.sign('HMAC', hmac, encoder.encode(label));
    return crypto.subtle.importKey('raw', key, algorithm, false, usages);
}

export class Sealer {
    static async make(text) {
        const master = masterBytes(text.trim());
        const sealer = new Sealer();
        sealer.key = await derive(master, 'one-balance seal 1', 'AES-GCM', [
            'encrypt',
            'decrypt',
        ]);
        sealer.fingerprints = await derive(
            master,
            'one-balance fingerprint 1',
            { name: 'HMAC', hash: 'SHA-256' },
            ['sign'],
        );
        return sealer;
    }

    /* Recognises a secret of a provider without opening any. */
    async fingerprint(provider, secret) {
        const text = encoder.encode(`${provider}\0${secret}`);
        return new Uint8Array(
            await crypto.subtle.sign('HMAC', this.fingerprints, text),
        );
    }

    async seal(provider, secret) {
        const fingerprint = await this.fingerprint(provider, secret);
        const sealed = await this.sealAt(place(provider, fingerprint), secret);
        return { sealed, fingerprint };
    }

    async sealAt(additionalData, secret) {
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const how = { name: 'AES-GCM', iv, additionalData };
        const bytes = encoder.encode(secret);
        const text = await crypto.subtle.encrypt(how, this.key, bytes);
        return new Uint8Array([1, ...iv, ...new Uint8Array(text)]);
    }

    /* The secret's bytes; empty where it cannot be opened. */
    open({ provider, sealed, fingerprint }) {
        return this.openAt(place(provider, fromHex(fingerprint)), sealed);
    }

    async openAt(additionalData, sealed) {
        const bytes = fromHex(sealed);
        if (bytes[0] !== 1) return new Uint8Array();
        const iv = bytes.subarray(1, 13);
        const how = { name: 'AES-GCM', iv, additionalData };
        return crypto.subtle.decrypt(how, this.key, bytes.subarray(13)).then(
            (secret) => new Uint8Array(secret),
            () => new Uint8Array(),
        );
    }
}
