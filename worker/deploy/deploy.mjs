#!/usr/bin/env node
/* deploy.mjs - One Balance onto Cloudflare: the first time, and again. */
import { parseArgs } from 'node:util';
import {
    buildConsole,
    buildCore,
    checkLogin,
    checkSettings,
    findDatabase,
    hasKeys,
    listSecrets,
    makeAuthKey,
    makeDatabase,
    makeMasterKey,
    migrate,
    namedSecrets,
    readConfig,
    upload,
    writeFiles,
} from './steps.mjs';
import { Stopped, install } from './wrangler.mjs';

const HELP = `usage: npm run deploy [-- OPTIONS]

Deploys One Balance as a Cloudflare Worker with a D1 database; running it again
updates both.

  --name NAME      of the Worker and of the database (default: one-balance)
  --config FILE    the configuration (default: one-balance.jsonc, if it is there)
  --dry-run        says what would be done, and changes nothing
  --help

AUTH_KEY and MASTER_KEY of the environment become secrets of the Worker. Without
them the first deployment makes both and shows them once; later ones leave them
as they are.
`;

const say = (text = '') => console.log(text);

function options() {
    try {
        const { values } = parseArgs({
            options: {
                name: { type: 'string', default: 'one-balance' },
                config: { type: 'string' },
                'dry-run': { type: 'boolean', default: false },
                help: { type: 'boolean', default: false },
            },
        });
        if (!/^[a-z0-9][a-z0-9-]{0,53}$/.test(values.name))
            throw new Error(
                '--name takes up to 54 small letters, digits and dashes',
            );
        return values;
    } catch (error) {
        console.error(`${error.message}\n\n${HELP}`);
        process.exit(2);
    }
}

/* Which secrets to send: those that are given, and new ones where the Worker
 * has none. */
async function chooseSecrets(config, database, present) {
    const { AUTH_KEY, MASTER_KEY } = process.env;
    const given = {
        ...namedSecrets(config),
        ...(AUTH_KEY && { AUTH_KEY }),
        ...(MASTER_KEY && { MASTER_KEY }),
    };
    const made = {};
    if (!AUTH_KEY && !present.includes('AUTH_KEY'))
        made.AUTH_KEY = makeAuthKey();
    if (!MASTER_KEY && !present.includes('MASTER_KEY')) {
        if (database && (await hasKeys(database)))
            throw new Stopped(
                'The database holds keys that are sealed, and the Worker has ' +
                    'no MASTER_KEY. Set MASTER_KEY to the one they were ' +
                    'sealed with.',
            );
        made.MASTER_KEY = makeMasterKey();
    }
    return { given, made };
}

/* What is there. The login goes first in what is told: where nobody is logged
 * in, all else fails. wrangler would take the first of several accounts, so it
 * is asked for them unless one is chosen. */
async function look(name, dry) {
    const chosen = !dry && process.env.CLOUDFLARE_ACCOUNT_ID;
    const [account, ...found] = await Promise.allSettled([
        chosen ? undefined : checkLogin(),
        findDatabase(name),
        listSecrets(name),
    ]);
    if (account.reason) throw account.reason;
    const failed = found.find(({ reason }) => reason);
    if (failed && chosen) await checkLogin();
    if (failed) throw failed.reason;
    return [account.value, ...found.map(({ value }) => value)];
}

function plan({ account, name, database, present, config, secrets }) {
    const { given, made } = secrets;
    say(`Account        ${account?.name ?? 'the one of the API token'}`);
    say(
        `Configuration  ${config.file ?? 'all defaults (no one-balance.jsonc)'}`,
    );
    say(
        `Database       ${database ? `${name} is there` : `${name} is made`}, and migrated`,
    );
    say(`Worker         ${name} is ${present ? 'updated' : 'made'}`);
    const words = [
        ...Object.keys(given).map((key) => `${key} as given`),
        ...Object.keys(made).map((key) => `${key} is made and shown once`),
    ];
    say(`Secrets        ${words.join(', ') || 'stay as they are'}`);
}

function tell({ targets, name, secrets, first }) {
    const address = targets[0] ?? 'shown by "npx wrangler deployments list"';
    say(`\n${first ? 'Deployed' : 'Updated'}: ${address}`);
    for (const [key, value] of Object.entries(secrets.made))
        say(`${key}: ${value}`);
    if (Object.keys(secrets.made).length)
        say('Keep them: they are shown this once.');
    if (!first) return;
    say(`
What to do next:
  echo sk-… | MASTER_KEY=… npm run keys -- add openai
  curl ${address}/v1/chat/completions -H "authorization: Bearer $AUTH_KEY" \\
    -H 'content-type: application/json' \\
    -d '{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'`);
}

async function deploy({ name, config: file, 'dry-run': dry }) {
    await install(say);
    say('Building …');
    await buildCore(say);
    await buildConsole(say);
    const config = await readConfig(file);
    await checkSettings(
        config,
        process.env.AUTH_KEY || makeAuthKey(),
        process.env.MASTER_KEY,
    );
    say('Looking at the account …');
    let [account, database, present] = await look(name, dry);
    if (database) await writeFiles({ name, database, config });
    if (database && !dry) await migrate(database);
    const secrets = await chooseSecrets(
        config,
        !dry && database,
        present ?? [],
    );
    if (dry) {
        say('\nThis would be done:');
        plan({ account, name, database, present, config, secrets });
        return;
    }
    if (!database) {
        say(`Making the database ${name} …`);
        database = await makeDatabase(name);
        await writeFiles({ name, database, config });
        await migrate(database);
    }
    say('Uploading …');
    const targets = await upload({ ...secrets.given, ...secrets.made });
    tell({ targets, name, secrets, first: !present });
}

const chosen = options();
if (chosen.help) {
    say(HELP);
} else {
    await deploy(chosen).catch((error) => {
        if (!(error instanceof Stopped)) throw error;
        console.error(`\n${error.message}`);
        process.exitCode = 1;
    });
}
