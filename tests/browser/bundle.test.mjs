/* What is shipped: its size, and its words in both languages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildConsole } from '../../console/build.mjs';

const KB = 1000;

test('the whole console has less than 120 KB compressed', async () => {
    const { files } = await buildConsole();
    const sum = files.reduce(
        (total, { bytes }) => total + gzipSync(bytes, { level: 9 }).length,
        0,
    );
    assert.ok(sum < 120 * KB, `${sum} bytes`);
});

test('nothing in the page is loaded from elsewhere', async () => {
    const { files } = await buildConsole();
    const page = Buffer.from(files[0].bytes).toString();
    assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//);
    assert.doesNotMatch(page, /<script>|<style|style=| on\w+=/);
});

/* The members of a language's file, and the places that its words fill in. */
async function words(language) {
    const { wordsOf } = await import('../../console/build.mjs');
    return wordsOf(language);
}

test('both languages have the same words', async () => {
    const [en, zh] = [await words('en'), await words('zh')];
    assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
    for (const [name, text] of Object.entries(en)) {
        const places = (of) =>
            [
                ...new Set(
                    [...of.matchAll(/\{(\w+)/g)].map((match) => match[1]),
                ),
            ].sort();
        assert.deepEqual(places(zh[name]), places(text), name);
        assert.ok(zh[name] || !text, `${name} is empty`);
    }
});
