/* The keys that this gateway gives to its callers: what each may do and has
 * used. */
import { useState } from 'preact/hooks';
import { call, post, query } from '../api';
import { ago, compact, count, day, money, moment } from '../format';
import { say, t } from '../i18n';
import { useResource } from '../resource';
import type { AuthKey, AuthKeyLimits, Provider } from '../types';
import { Confirm, Dialog } from '../ui/dialog';
import {
    Badge,
    Button,
    Copy,
    Field,
    MeterBar,
    Notice,
    Page,
    Problem,
    Scroll,
    Waiting,
} from '../ui/parts';
import { Audit, Sessions } from './audit';
import { tell } from '../ui/toast';

const limitNames = [
    'requests_minute',
    'tokens_minute',
    'usd_day',
    'usd_month',
] as const;

function Permissions({ of }: { of: AuthKey['permissions'] }) {
    if (!of.length)
        return <Badge kind="info">{t('authkeys.unrestricted')}</Badge>;
    return (
        <>
            {of.map(({ provider, models }) => (
                <span key={provider} class="permission">
                    <span class="mono">{provider}</span>
                    {models && (
                        <span class="muted mono"> {models.join(', ')}</span>
                    )}
                </span>
            ))}
        </>
    );
}

function show(
    name: keyof AuthKeyLimits,
    value: number | null | undefined,
): string {
    return name.startsWith('usd') ? money(value) : compact(value);
}

function Usage({ of }: { of: AuthKey }) {
    const set = limitNames.filter((name) => of.limits?.[name] != null);
    if (!set.length) return <span class="muted">{t('authkeys.nolimits')}</span>;
    return (
        <>
            {set.map((name) => {
                const used = of.used?.[name] ?? 0;
                const limit = of.limits![name]!;
                return (
                    <div key={name} class="usage">
                        <span class="muted">{say('limit', name)}</span>{' '}
                        <span class="number">
                            {show(name, used)} / {show(name, limit)}
                        </span>
                        <MeterBar used={used} limit={limit} />
                    </div>
                );
            })}
        </>
    );
}

/* datetime-local has neither zone nor seconds. */
function toLocal(at: number | null): string {
    if (!at) return '';
    const date = new Date(at * 1000);
    const local = new Date(date.getTime() - date.getTimezoneOffset() * 60000);
    return local.toISOString().slice(0, 16);
}

interface Permission {
    provider: string;
    models: string;
}

function PermissionRows({
    rows,
    providers,
    onChange,
}: {
    rows: Permission[];
    providers: Provider[];
    onChange: (rows: Permission[]) => void;
}) {
    const set = (at: number, change: Partial<Permission>) =>
        onChange(
            rows.map((row, index) =>
                index === at ? { ...row, ...change } : row,
            ),
        );
    return (
        <fieldset class="wide">
            <legend>{t('authkeys.permissions')}</legend>
            {!rows.length && (
                <p class="hint">{t('authkeys.permissionshint')}</p>
            )}
            {rows.map((row, at) => (
                <div key={at} class="permission-row">
                    <select
                        aria-label={t('provider')}
                        value={row.provider}
                        onChange={(event) =>
                            set(at, { provider: event.currentTarget.value })
                        }
                    >
                        {providers.map(({ id, name }) => (
                            <option key={id} value={id}>
                                {name}
                            </option>
                        ))}
                    </select>
                    <input
                        aria-label={t('authkeys.models')}
                        placeholder={t('authkeys.modelshint')}
                        value={row.models}
                        onInput={(event) =>
                            set(at, { models: event.currentTarget.value })
                        }
                    />
                    <Button
                        kind="quiet"
                        icon="close"
                        label={t('act.remove')}
                        onClick={() =>
                            onChange(rows.filter((_, index) => index !== at))
                        }
                    />
                </div>
            ))}
            <Button
                small
                icon="plus"
                disabled={!providers.length}
                onClick={() =>
                    onChange([
                        ...rows,
                        { provider: providers[0]!.id, models: '' },
                    ])
                }
            >
                {t('authkeys.addpermission')}
            </Button>
        </fieldset>
    );
}

function Editor({
    of,
    providers,
    onClose,
    onDone,
}: {
    of: AuthKey | null;
    providers: Provider[];
    onClose: () => void;
    onDone: () => void;
}) {
    const [name, setName] = useState(of?.name ?? '');
    const [expires, setExpires] = useState(toLocal(of?.expires_at ?? null));
    const [rows, setRows] = useState<Permission[]>(
        (of?.permissions ?? []).map(({ provider, models }) => ({
            provider,
            models: models?.join(', ') ?? '',
        })),
    );
    const [limits, setLimits] = useState<Record<string, string>>(
        Object.fromEntries(
            limitNames.map((limit) => [
                limit,
                String(of?.limits?.[limit] ?? ''),
            ]),
        ),
    );
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState('');
    const [made, setMade] = useState('');
    const body = () => ({
        name: name.trim(),
        permissions: rows.map(({ provider, models }) => {
            const list = models
                .split(',')
                .map((model) => model.trim())
                .filter(Boolean);
            return { provider, models: list.length ? list : null };
        }),
        expires_at: expires
            ? Math.floor(new Date(expires).getTime() / 1000)
            : null,
        limits: Object.fromEntries(
            limitNames.map((limit) => [
                limit,
                limits[limit] ? Number(limits[limit]) : null,
            ]),
        ),
    });
    const save = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setProblem('');
        try {
            if (of) await call('PATCH', `/auth-keys/${of.id}`, body());
            else
                setMade(
                    (await post<AuthKey>('/auth-keys', body())).auth_key ?? '',
                );
            onDone();
            if (of) {
                tell(t('saved'));
                onClose();
            }
        } catch (error) {
            setProblem((error as Error).message);
        }
        setBusy(false);
    };
    if (made)
        return (
            <Dialog
                title={t('authkeys.made')}
                onClose={onClose}
                foot={
                    <Button kind="main" onClick={onClose}>
                        {t('done')}
                    </Button>
                }
            >
                <Notice kind="warning">{t('authkeys.once')}</Notice>
                <p class="secret">
                    <code class="mono">{made}</code>
                    <Copy text={made} />
                </p>
            </Dialog>
        );
    return (
        <Dialog
            title={
                of ? t('authkeys.edit', { name: of.name }) : t('authkeys.new')
            }
            onClose={onClose}
        >
            <form class="form" onSubmit={save}>
                <Field label={t('authkeys.name')}>
                    <input
                        required
                        maxLength={64}
                        value={name}
                        onInput={(event) => setName(event.currentTarget.value)}
                    />
                </Field>
                <Field
                    label={t('authkeys.expires')}
                    hint={t('authkeys.expireshint')}
                >
                    <input
                        type="datetime-local"
                        value={expires}
                        onInput={(event) =>
                            setExpires(event.currentTarget.value)
                        }
                    />
                </Field>
                <PermissionRows
                    rows={rows}
                    providers={providers}
                    onChange={setRows}
                />
                {limitNames.map((limit) => (
                    <Field key={limit} label={say('limit', limit)}>
                        <input
                            type="number"
                            min={0}
                            step={limit.startsWith('usd') ? 'any' : 1}
                            placeholder={t('authkeys.nolimit')}
                            value={limits[limit]}
                            onInput={(event) => {
                                const { value } = event.currentTarget;
                                setLimits((old) => ({
                                    ...old,
                                    [limit]: value,
                                }));
                            }}
                        />
                    </Field>
                ))}
                {problem && (
                    <div class="wide">
                        <Notice kind="bad">{problem}</Notice>
                    </div>
                )}
                <div class="wide actions end">
                    <Button onClick={onClose}>{t('cancel')}</Button>
                    <Button kind="main" type="submit" disabled={busy}>
                        {busy
                            ? t('working')
                            : of
                              ? t('save')
                              : t('authkeys.make')}
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}

export function AuthKeysPage() {
    const [revokedToo, setRevokedToo] = useState(false);
    const list = useResource<{ auth_keys: AuthKey[] }>(
        `/auth-keys${query({ revoked: revokedToo ? 1 : null })}`,
        { everyMs: 15000 },
    );
    const providers = useResource<Provider[]>('/providers');
    const [edited, setEdited] = useState<AuthKey | 'new' | null>(null);
    const [revoked, setRevoked] = useState<AuthKey | null>(null);
    const keys = list.data?.auth_keys ?? [];
    return (
        <Page
            title={t('nav.authkeys')}
            actions={
                list.data && (
                    <Button
                        kind="main"
                        icon="plus"
                        onClick={() => setEdited('new')}
                    >
                        {t('authkeys.new')}
                    </Button>
                )
            }
        >
            <p class="lead">{t('authkeys.lead')}</p>
            {list.error && (
                <Problem
                    error={list.error}
                    absent={t('absent.authkeys')}
                    again={list.reload}
                />
            )}
            {!list.data && !list.error && (
                <section class="panel flush">
                    <Waiting lines={5} />
                </section>
            )}
            {list.data && (
                <section class="panel flush" aria-label={t('nav.authkeys')}>
                    <Scroll label={t('nav.authkeys')}>
                        <table class="authkeys">
                            <thead>
                                <tr>
                                    <th scope="col">{t('authkeys.name')}</th>
                                    <th scope="col">{t('authkeys.from')}</th>
                                    <th scope="col">
                                        {t('authkeys.permissions')}
                                    </th>
                                    <th scope="col">{t('authkeys.usage')}</th>
                                    <th scope="col">{t('authkeys.expires')}</th>
                                    <th scope="col">{t('keys.used')}</th>
                                    <th scope="col">
                                        <span class="hidden">{t('acts')}</span>
                                    </th>
                                </tr>
                            </thead>
                            <tbody>
                                {keys.map((key) => (
                                    <tr
                                        key={key.id ?? key.name}
                                        class={key.revoked ? 'off' : undefined}
                                    >
                                        <th scope="row" class="key-cell">
                                            <span>{key.name}</span>
                                            {key.prefix && (
                                                <span class="mono muted">
                                                    {key.prefix}
                                                </span>
                                            )}
                                        </th>
                                        <td data-name={t('authkeys.from')}>
                                            {key.revoked ? (
                                                <Badge kind="bad">
                                                    {t('authkeys.revoked')}
                                                </Badge>
                                            ) : (
                                                say('from', key.from)
                                            )}
                                        </td>
                                        <td
                                            data-name={t(
                                                'authkeys.permissions',
                                            )}
                                        >
                                            <Permissions of={key.permissions} />
                                        </td>
                                        <td data-name={t('authkeys.usage')}>
                                            <Usage of={key} />
                                        </td>
                                        <td data-name={t('authkeys.expires')}>
                                            {key.expires_at
                                                ? day(key.expires_at)
                                                : t('authkeys.noexpiry')}
                                        </td>
                                        <td
                                            data-name={t('keys.used')}
                                            title={moment(key.last_used_at)}
                                        >
                                            {ago(key.last_used_at)}
                                        </td>
                                        <td class="row-acts">
                                            {key.from === 'console' &&
                                                !key.revoked &&
                                                key.id !== null && (
                                                    <>
                                                        <Button
                                                            small
                                                            onClick={() =>
                                                                setEdited(key)
                                                            }
                                                        >
                                                            {t('edit')}
                                                        </Button>
                                                        <Button
                                                            small
                                                            kind="danger"
                                                            onClick={() =>
                                                                setRevoked(key)
                                                            }
                                                        >
                                                            {t('revoke')}
                                                        </Button>
                                                    </>
                                                )}
                                        </td>
                                    </tr>
                                ))}
                            </tbody>
                        </table>
                    </Scroll>
                    <div class="list-foot">
                        <span class="muted">
                            {t('authkeys.total', { n: count(keys.length) })}
                        </span>
                        <label class="tick">
                            <input
                                type="checkbox"
                                checked={revokedToo}
                                onChange={(event) =>
                                    setRevokedToo(event.currentTarget.checked)
                                }
                            />
                            {t('authkeys.revokedtoo')}
                        </label>
                    </div>
                </section>
            )}
            {(list.data || list.error) && (
                <div class="columns">
                    <Audit />
                    <Sessions />
                </div>
            )}
            {edited && (
                <Editor
                    of={edited === 'new' ? null : edited}
                    providers={providers.data ?? []}
                    onClose={() => setEdited(null)}
                    onDone={list.reload}
                />
            )}
            {revoked && (
                <Confirm
                    title={t('revoke')}
                    action={t('revoke')}
                    danger
                    onDo={async () => {
                        await call('DELETE', `/auth-keys/${revoked.id}`);
                        tell(t('authkeys.revokedone', { name: revoked.name }));
                        list.reload();
                    }}
                    onClose={() => setRevoked(null)}
                >
                    <p>{t('authkeys.revoketext', { name: revoked.name })}</p>
                </Confirm>
            )}
        </Page>
    );
}
