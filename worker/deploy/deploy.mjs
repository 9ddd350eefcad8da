#!/usr/bin/env node
/* deploy.mjs - One Balance onto Cloudflare: the first time, and again. */
import { parseArgs } from 'node:util';
import { openAccount } from './api.mjs';
import { findDatabase, openDatabase, query } from './d1.mjs';
import { judge, mark, refuse, sealerOf } from './master.mjs';
import { Stopped } from './npm.mjs';
import {
    buildConsole,
    buildCore,
    checkSettings,
    listSecrets,
    makeAuthKey,
    makeDatabase,
    makeMasterKey,
    migrate,
    namedSecrets,
    readConfig,
    readPending,
    removePending,
    savePending,
    upload,
    writeFiles,
} from './steps.mjs';
import {
    OLD,
    advice,
    dropOld,
    isDue,
    readTables,
    setAside,
    summarise,
    takeOver,
    waitingOf,
} from './takeover.mjs';
import { install } from './wrangler.mjs';

const HELP = `usage: npm run deploy [-- OPTIONS]

Deploys One Balance as a Cloudflare Worker with a D1 database; running it again
updates both.

  --name NAME      of the Worker (default: one-balance)
  --database NAME  of the database (default: that of --name). One of the first
                   One Balance is taken over in place, with its keys
  --config FILE    the configuration (default: one-balance.jsonc, if it is there)
  --dry-run        says what would be done, and changes nothing
  --drop-old       drops the table of the first One Balance, whose keys stand
                   there in clear, when they are taken over; deploys nothing
  --force          with --drop-old: also those that could not be taken over
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
                database: { type: 'string' },
                config: { type: 'string' },
                'dry-run': { type: 'boolean', default: false },
                'drop-old': { type: 'boolean', default: false },
                force: { type: 'boolean', default: false },
                help: { type: 'boolean', default: false },
            },
        });
        if (!/^[a-z0-9][a-z0-9-]{0,53}$/.test(values.name))
            throw new Error(
                '--name takes up to 54 small letters, digits and dashes',
            );
        if (values.database !== undefined && !/^[\w-]+$/.test(values.database))
            throw new Error('--database takes letters, digits, _ and -');
        if (values.force && !values['drop-old'])
            throw new Error('--force goes with --drop-old');
        return { ...values, database: values.database ?? values.name };
    } catch (error) {
        console.error(`${error.message}\n\n${HELP}`);
        process.exit(2);
    }
}

/* ---- what is there ---- */

async function look({ name, database }) {
    const account = await openAccount();
    const [found, present] = await Promise.all([
        findDatabase(account, database),
        listSecrets(account, name),
    ]);
    return { account, found, present };
}

/* Which secrets to send: those that are given, and new ones where the Worker
 * has none. What a deployment that was broken off has made, is made. */
async function chooseSecrets({ name, config, present, old, keys }) {
    const { AUTH_KEY, MASTER_KEY } = process.env;
    const given = {
        ...namedSecrets(config),
        ...(AUTH_KEY && { AUTH_KEY }),
        ...(MASTER_KEY && { MASTER_KEY }),
    };
    const pending = await readPending(name);
    const lacks = (key) => !given[key] && !present?.includes(key);
    const made = {};
    if (lacks('AUTH_KEY') && present && old && !pending.AUTH_KEY)
        throw new Stopped(
            'The Worker is replaced, and its AUTH_KEY with it. Set AUTH_KEY to ' +
                'the one that your callers use (it stands in the wrangler.jsonc ' +
                "that it was deployed with, and among the Worker's variables on " +
                'https://dash.cloudflare.com), or to a new one.',
        );
    if (lacks('AUTH_KEY')) made.AUTH_KEY = pending.AUTH_KEY ?? makeAuthKey();
    if (lacks('MASTER_KEY') && keys && !pending.MASTER_KEY)
        throw new Stopped(
            'The database holds keys that are sealed, and the Worker has no ' +
                'MASTER_KEY. Set MASTER_KEY to the one they were sealed with.',
        );
    if (lacks('MASTER_KEY'))
        made.MASTER_KEY = pending.MASTER_KEY ?? makeMasterKey();
    return { given, made };
}

/* What the database is: readTables(), and whether there are keys, those of the
 * first One Balance by provider, and whether any are to be taken over. */
async function readDatabase(database, core) {
    if (!database) return { old: false, keys: false, due: false };
    const tables = await readTables(database);
    const old = tables.first || tables.aside;
    const [{ rows }] = tables.ours
        ? await query(database, ['SELECT 1 FROM keys LIMIT 1'])
        : [{ rows: [] }];
    return {
        ...tables,
        old,
        keys: rows.length > 0,
        summary: old ? await summarise(database, tables, core) : [],
        due: old && (!tables.ours || (await isDue(database, core))),
    };
}

/* Refuses a wrong MASTER_KEY. Gives a sealer, where it is known, and what the
 * database lacks of its sign. */
async function checkMaster(database, there, { given, made }) {
    const text = given.MASTER_KEY ?? made.MASTER_KEY;
    if (!text) return { sealer: null };
    const sealer = await sealerOf(text);
    if (!there.ours) return { sealer, marking: 'new' };
    const { is, marked, keys } = await judge(database, sealer);
    if (is === 'wrong' && keys) refuse();
    /* Nothing is sealed under the other one. */
    if (is === 'wrong') return { sealer, marking: 'anew' };
    return { sealer, marking: marked ? null : 'new' };
}

/* ---- what is told ---- */

const counted = (summary) =>
    summary.reduce((sum, { keys }) => sum + keys, 0).toLocaleString('en');

function plan({ account, name, database, found, present, config, ...more }) {
    const { secrets, there, crons } = more;
    const { given, made } = secrets;
    say(`Account        ${account.name ?? account.id}`);
    say(
        `Configuration  ${config.file ?? 'all defaults (no one-balance.jsonc)'}`,
    );
    say(
        `Database       ${database} ${found ? 'is there' : 'is made'}, and migrated`,
    );
    if (there.first)
        say(
            `               it is the first One Balance's: its table "keys" is ` +
                `renamed to\n               "${OLD}", and its ` +
                `${counted(there.summary)} keys are taken over, sealed`,
        );
    for (const { provider, slug, keys, blocked } of there.summary ?? [])
        say(
            `                 ${provider}: ${keys}, ${blocked} of them blocked` +
                (slug ? '' : ' (not known here: they wait)'),
        );
    say(`Worker         ${name} is ${present ? 'updated' : 'made'}`);
    for (const cron of crons)
        say(`               woken by cron, ${cron}, to probe blocked keys`);
    const words = [
        ...Object.keys(given).map((key) => `${key} as given`),
        ...Object.keys(made).map((key) => `${key} is made and shown once`),
    ];
    say(`Secrets        ${words.join(', ') || 'stay as they are'}`);
    if (there.old && advice(there.summary)) say(`\n${advice(there.summary)}`);
}

function tell({ targets, secrets, first }) {
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

function tellOld(database, { passed, refused, waiting, ...state }, summary) {
    const left = waitingOf({ waiting });
    if (state.moved)
        say(
            `Taken over: ${passed} keys of the first One Balance` +
                (refused ? `; refused: ${refused}` : '') +
                (left ? `; waiting: ${left}` : ''),
        );
    if (left) say(advice(summary));
    const named =
        database.name === 'one-balance' ? '' : ` --database ${database.name}`;
    say(
        `The table "${OLD}" still holds its keys in clear. When all is well:\n` +
            `  npm run deploy -- --drop-old${named}`,
    );
}

/* ---- the steps ---- */

async function prepareDatabase(database, there) {
    if (there.first) {
        say('Renaming the table of the first One Balance …');
        await setAside(database);
    }
    await migrate(database);
}

async function takeKeys({ database, there, core, sealer }) {
    if (there.due) say('Taking over the keys of the first One Balance …');
    return there.old ? takeOver(database, { core, sealer, say }) : null;
}

async function deploy(chosen) {
    const { name, config: file, 'dry-run': dry } = chosen;
    await install(say);
    say('Building …');
    await buildCore(say);
    await buildConsole(say);
    const config = await readConfig(file);
    const { core, crons } = await checkSettings(
        config,
        process.env.AUTH_KEY || makeAuthKey(),
        process.env.MASTER_KEY,
    );
    say('Looking at the account …');
    const { account, found, present } = await look(chosen);
    const there = await readDatabase(found, core);
    const secrets = await chooseSecrets({ name, config, present, ...there });
    const { sealer, marking } = await checkMaster(found, there, secrets);
    if (there.due && !sealer)
        throw new Stopped(
            'Keys of the first One Balance are to be sealed. Set MASTER_KEY to ' +
                "the Worker's.",
        );
    if (dry) {
        say('\nThis would be done:');
        const what = { account, found, present, config, secrets, there, crons };
        plan({ ...chosen, ...what });
        return;
    }
    await savePending(name, secrets.made);
    if (!found) say(`Making the database ${chosen.database} …`);
    const database = found ?? (await makeDatabase(account, chosen.database));
    await prepareDatabase(database, there);
    if (marking)
        await query(database, [await mark(sealer, marking === 'anew')]);
    const moved = await takeKeys({ database, there, core, sealer });
    say('Uploading …');
    await writeFiles({ name, database, config, crons });
    const targets = await upload(account, {
        ...secrets.given,
        ...secrets.made,
    });
    await removePending(name);
    tell({ targets, secrets, first: !present });
    if (moved) tellOld(database, moved, there.summary);
}

async function drop({ database, force }) {
    await install(say);
    await dropOld(await openDatabase(await openAccount(), database), force);
    say(
        `The table "${OLD}" is dropped. Cloudflare can bring it back for the days ` +
            'that its plan keeps (D1 Time Travel).',
    );
}

const chosen = options();
if (chosen.help) {
    say(HELP);
} else {
    const work = chosen['drop-old'] ? drop(chosen) : deploy(chosen);
    await work.catch((error) => {
        if (!(error instanceof Stopped)) throw error;
        console.error(`\n${error.message}`);
        process.exitCode = 1;
    });
}
