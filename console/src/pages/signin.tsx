import { useState } from 'preact/hooks';
import { ApiError, signIn } from '../api';
import { Tastes } from '../app';
import { t } from '../i18n';
import { rememberAuthKey } from '../memory';
import { Button, Field, Notice } from '../ui/parts';

export function SignIn({
    onEnter,
    onChange,
}: {
    onEnter: () => void;
    onChange: () => void;
}) {
    const [key, setKey] = useState('');
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState('');
    const enter = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setProblem('');
        try {
            await signIn(key.trim());
            rememberAuthKey(key.trim());
            onEnter();
        } catch (error) {
            const { retryAfterS = 0, message } = error as ApiError;
            setProblem(
                retryAfterS
                    ? `${message} ${t('failed.wait', { n: retryAfterS })}`
                    : message,
            );
        }
        setBusy(false);
    };
    document.title = 'One Balance';
    return (
        <main class="alone">
            <div class="alone-head">
                <span class="mark large" aria-hidden="true" />
                <h1>One Balance</h1>
                <div class="actions">
                    <Tastes onChange={onChange} />
                </div>
            </div>
            <form
                class="panel stack"
                method="post"
                action="/login"
                onSubmit={enter}
            >
                <Field label={t('signin.key')} hint={t('signin.hint')}>
                    <input
                        type="password"
                        name="auth_key"
                        required
                        autofocus
                        autocomplete="current-password"
                        value={key}
                        onInput={(event) => setKey(event.currentTarget.value)}
                    />
                </Field>
                {problem && <Notice kind="bad">{problem}</Notice>}
                <Button kind="main" type="submit" disabled={busy}>
                    {busy ? t('working') : t('signin')}
                </Button>
            </form>
        </main>
    );
}
