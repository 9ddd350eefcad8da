/* `one-balance deploy`: which checkout it finds, and what it hands on. The
 * deployment itself is tested in tests/edge. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY, scenario } from './harness.mjs';

/* Says what it was given, and ends as it is told to. */
const DEPLOYMENT = `
const args = process.argv.slice(2);
console.log(JSON.stringify({ args, from: process.env.INIT_CWD }));
process.exit(Number(process.env.ENDS ?? 0));
`;

function checkout(room) {
    const at = mkdtempSync(join(room.dir, 'checkout-'));
    mkdirSync(join(at, 'worker/deploy'), { recursive: true });
    mkdirSync(join(at, 'docs/deep'), { recursive: true });
    const inside = (name) => join(at.slice(room.dir.length + 1), name);
    room.file(inside('worker/deploy/deploy.mjs'), DEPLOYMENT);
    room.file(inside('package.json'), {
        scripts: { deploy: 'node worker/deploy/deploy.mjs' },
    });
    return at;
}

/* A binary that lies in no checkout. */
function binary(room) {
    const at = join(room.dir, 'one-balance');
    copyFileSync(BINARY, at);
    return at;
}

scenario('deploy: finds the checkout above, and hands all on', async (room) => {
    const at = checkout(room);
    const cwd = join(at, 'docs/deep');
    const args = ['--name', 'two words', '--dry-run', '--', '-x', ''];
    const options = {
        cwd,
        binary: binary(room),
        env: { ENDS: '2' },
        ms: 30000,
    };
    const { code, stdout } = await room.cli(['deploy', ...args], options);
    assert.deepEqual(JSON.parse(stdout), { args, from: cwd });
    assert.equal(code, 2, 'its exit code is handed on');
});

scenario('deploy: --source names the checkout', async (room) => {
    const at = checkout(room);
    const options = { binary: binary(room), ms: 30000 };
    const named = [
        ['--source', at],
        [`--source=${at}`],
        ['--source', at.slice(room.dir.length + 1)],
    ];
    for (const given of named) {
        const args = ['deploy', ...given, '--dry-run'];
        const { code, stdout, stderr } = await room.cli(args, options);
        assert.equal(code, 0, stderr);
        assert.deepEqual(JSON.parse(stdout).args, ['--dry-run']);
    }
});

scenario('deploy: says what is missing', async (room) => {
    const at = checkout(room);
    const options = { binary: binary(room) };
    const wrong = [
        [[], {}, 1, /needs One Balance's sources.*--source DIR/s],
        [['--source', room.dir], {}, 1, /is no checkout of One Balance/],
        [['--source', 'nowhere'], {}, 1, /nowhere is no checkout/],
        [['--source'], {}, 2, /--source takes the folder/],
        [['--source='], {}, 2, /--source takes the folder/],
        [['--source', at], { PATH: room.dir }, 1, /needs npm.*node 20\.3/],
    ];
    for (const [args, env, code, why] of wrong) {
        const result = await room.cli(['deploy', ...args], { ...options, env });
        assert.match(result.stderr, why);
        assert.equal(result.code, code, args.join(' '));
    }
});

scenario('deploy: --help', async (room) => {
    const { code, stdout } = await room.cli(['deploy', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /usage: one-balance deploy \[--source DIR\]/);
});
