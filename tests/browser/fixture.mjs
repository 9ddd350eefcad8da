/*
 * fixture.mjs - the console on a made-up API, or on the real binary.
 */
import { after, test } from 'node:test';
import { DEV_KEY, DevServer } from '../../console/dev-server.mjs';
import { Fake } from '../../console/fake.mjs';
import { Visit, missing, startBrowser } from './browser.mjs';

export { DEV_KEY, Fake };

let browser = null;

/* One browser a file of tests. */
export async function sharedBrowser() {
    browser ??= await startBrowser();
    return browser;
}

after(async () => browser?.close());

/* A test with a server and a visit that is signed in; what went wrong in the
 * browser meanwhile fails it. */
export function console_(
    name,
    body,
    { fake = {}, absent = [], signedIn = true, timeout = 60000, ...look } = {},
) {
    test(name, { skip: missing, timeout }, async () => {
        const server = await new DevServer({
            fake: new Fake(fake),
            absent,
        }).start();
        const visit = await Visit.open(await sharedBrowser(), server.url, look);
        try {
            if (signedIn) await visit.signIn(DEV_KEY);
            await body(visit, server);
            await visit.holds(name);
        } finally {
            await visit.close();
            await server.stop();
        }
    });
}
