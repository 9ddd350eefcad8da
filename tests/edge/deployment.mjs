/* deployment.mjs - a Cloudflare of the test's own, and a person at a command
 * line who is logged in to it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cloudflare } from './cloudflare.mjs';
import { WORKER } from './gateway.mjs';

export const DATABASES = '/accounts/ACCOUNT/d1/database';
export const QUERY = `POST ${DATABASES}/ID/query`;
export const SCRIPT = '/accounts/ACCOUNT/workers/scripts/NAME';
const DEPLOY = join(WORKER, 'deploy/deploy.mjs');
const KEYS = join(WORKER, 'deploy/keys.mjs');
export const DENIED = {
    status: 403,
    code: 10000,
    message: 'Not allowed to do this',
};

export class World {
    async start() {
        this.dir = await mkdtemp(join(tmpdir(), 'one-balance-deploy-test-'));
        this.cloud = await new Cloudflare(join(this.dir, 'd1')).start();
        /* What is pending stands in worker/build, by the Worker's name. */
        this.name = `one-balance-${process.pid}`;
        return this;
    }

    async stop() {
        await this.cloud?.stop();
        await rm(this.dir, { recursive: true, force: true });
        await rm(this.pending, { force: true });
    }

    get pending() {
        return join(WORKER, `build/${this.name}.pending.key`);
    }

    async file(name, content) {
        const at = join(this.dir, name);
        const text =
            typeof content === 'string' ? content : JSON.stringify(content);
        await writeFile(at, text);
        return at;
    }

    /* Runs a command to its end. */
    run(command, args, { env = {}, stdin = '' } = {}) {
        const { cloud, dir } = this;
        const child = spawn(command, args, {
            cwd: dir,
            env: {
                PATH: process.env.PATH,
                HOME: dir,
                XDG_CONFIG_HOME: dir,
                CLOUDFLARE_API_BASE_URL: cloud.url,
                CLOUDFLARE_API_TOKEN: cloud.token,
                CLOUDFLARE_ACCOUNT_ID: cloud.accounts[0].id,
                ...env,
            },
        });
        const result = { code: null, stdout: '', stderr: '' };
        child.stdout.on('data', (text) => (result.stdout += text));
        child.stderr.on('data', (text) => (result.stderr += text));
        child.stdin.on('error', () => {});
        child.stdin.end(stdin);
        return new Promise((done) =>
            child.on('close', (code) => done({ ...result, code })),
        );
    }

    /* Files of tests run side by side, and what is uploaded stands in
     * worker/build: so one deployment after the other. */
    deploy(args = [], options) {
        const command = [process.execPath, DEPLOY, '--name', this.name];
        const locked = [join(WORKER, 'build'), ...command, ...args];
        return this.run('flock', locked, options);
    }

    keys(args, options) {
        const command = [KEYS, ...args, '--name', this.name];
        return this.run(process.execPath, command, options);
    }

    /* It ends well. */
    async ends(running) {
        const result = await running;
        assert.equal(result.code, 0, result.stdout + result.stderr);
        return result;
    }

    /* It ends with `code`, and says why; gives what it has changed. */
    async stops(running, code, why) {
        const changes = this.cloud.changes.length;
        const result = await running;
        assert.equal(result.code, code, result.stdout + result.stderr);
        for (const words of [why].flat()) assert.match(result.stderr, words);
        assert.ok(!/^\s+at /m.test(result.stderr), 'no stack is shown');
        return this.cloud.changes.slice(changes);
    }

    async failing(lines, work, how = DENIED) {
        for (const line of lines) this.cloud.failing[line] = how;
        try {
            return await work();
        } finally {
            this.cloud.failing = {};
        }
    }

    async rows(sql) {
        const [{ run }] = this.cloud.databases.values();
        return run([sql]);
    }
}
