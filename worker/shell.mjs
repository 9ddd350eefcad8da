/* shell.mjs - the Worker: performs what the core decides, and decides
 * nothing. */
import config from './build/one-balance.jsonc';
import module from './build/core.wasm';
import { Core } from './core.mjs';
import { batch } from './operate.mjs';
import { relay, sleep, tend } from './relay.mjs';
import { Sealer, toHex } from './seal.mjs';

/* One pool an isolate: a promise of { core, sealer }. */
let instance;

/* A core that has stopped is not used again. */
function forget(error) {
    if (error instanceof WebAssembly.RuntimeError) instance = undefined;
    console.error(error);
}

async function make(env) {
    const core = new Core(module);
    const texts = Object.entries(env).filter(([, v]) => typeof v === 'string');
    core.start({
        config,
        auth_key: env.AUTH_KEY ?? '',
        environment: Object.fromEntries(texts),
        seed: toHex(crypto.getRandomValues(new Uint8Array(16))),
    });
    return { core, sealer: await Sealer.make(env.MASTER_KEY ?? '') };
}

function started(env) {
    instance ??= make(env).catch((error) => {
        instance = undefined;
        throw error;
    });
    return instance;
}

async function load(core, env) {
    const results = await batch(env.DB, core.queries()).catch((error) => {
        throw new Error(
            `its database cannot be read (${error.message}). "npm run deploy" ` +
                'makes the tables that it needs.',
        );
    });
    core.load(results.map((result) => result.results));
}

/* Behind the answer: what was learned. */
async function save(core, env) {
    for (let work; (work = core.work()); )
        if (work.ms) await sleep(work.ms);
        else core.worked(work.turn, await batch(env.DB, work.statements));
}

async function serve(request, env, ctx) {
    const { core, sealer } = await started(env);
    const behind = (work) => ctx.waitUntil(work.catch(forget));
    /* What goes on behind an answer may teach more. */
    const after = (work) => behind(work.then(() => save(core, env)));
    const due = core.due();
    if (due === 2) await load(core, env);
    else if (due === 1) behind(load(core, env));
    const response = await relay({ core, sealer, db: env.DB, request, after });
    behind(save(core, env));
    return response;
}

function broken(error) {
    forget(error);
    const message =
        error instanceof WebAssembly.RuntimeError
            ? 'The gateway has met a fault of its own. Try again.'
            : `The gateway is not set up: ${error.message}`;
    return Response.json(
        { error: { message, type: 'server_error', code: null, param: null } },
        { status: 500 },
    );
}

export default {
    async fetch(request, env, ctx) {
        try {
            return await serve(request, env, ctx);
        } catch (error) {
            return broken(error);
        }
    },

    async scheduled(event, env) {
        try {
            const { core, sealer } = await started(env);
            const done = await tend({ core, sealer, db: env.DB });
            const text = await done.text();
            if (!done.ok) throw new Error(text);
            if (text) console.log(text);
            await save(core, env);
        } catch (error) {
            forget(error);
            throw error;
        }
    },
};
