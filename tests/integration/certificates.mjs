/* certificates.mjs - an authority of the test's own and what it signs. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/* Files in `dir`; server() gives what tls.createServer() takes. */
export class Authority {
    constructor(dir, name = 'authority') {
        this.dir = dir;
        this.name = name;
        this.file = join(dir, `${name}.pem`);
        this.openssl(
            ['req', '-x509', ...KEY, '-nodes', '-days', '30'],
            ['-subj', `/CN=${name}`, '-keyout', `${name}.key`],
            ['-out', `${name}.pem`],
        );
    }

    openssl(...args) {
        execFileSync('openssl', args.flat(), { cwd: this.dir, stdio: 'pipe' });
    }

    server(name, { host = 'DNS:localhost', days = 30 } = {}) {
        const request = ['req', ...KEY, '-nodes', '-subj', '/CN=upstream'];
        this.openssl(request, ['-keyout', `${name}.key`, '-out', `${name}.csr`]);
        writeFileSync(join(this.dir, `${name}.ext`), `subjectAltName=${host}\n`);
        this.openssl(
            ['x509', '-req', '-in', `${name}.csr`, '-days', String(days)],
            ['-CA', `${this.name}.pem`, '-CAkey', `${this.name}.key`],
            ['-CAcreateserial', '-extfile', `${name}.ext`],
            ['-out', `${name}.pem`],
        );
        return {
            key: readFileSync(join(this.dir, `${name}.key`)),
            cert: readFileSync(join(this.dir, `${name}.pem`)),
        };
    }
}
