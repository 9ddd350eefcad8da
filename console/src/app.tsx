/* The frame: who is signed in, the ways to the pages, the page itself. */
import { useEffect, useState } from 'preact/hooks';
import {
    type ApiError,
    type Session,
    onSessionEnd,
    readSession,
    signOut,
} from './api';
import { type Word, languageName, setLanguage, t } from './i18n';
import { AuthKeysPage } from './pages/authkeys';
import { ConnectPage } from './pages/connect';
import { KeysPage } from './pages/keys';
import { ModelsPage } from './pages/models';
import { OverviewPage } from './pages/overview';
import { PlaygroundPage } from './pages/playground';
import { RequestsPage } from './pages/requests';
import { SettingsPage } from './pages/settings';
import { SignIn } from './pages/signin';
import { type Place, to, usePlace } from './router';
import { Icon, type IconName } from './ui/icon';
import { type Look, chosenLook, setLook } from './ui/look';
import { Button, Empty, Page, Problem } from './ui/parts';
import { Toasts } from './ui/toast';

const ways: [string, Word, IconName][] = [
    ['', 'nav.overview', 'overview'],
    ['keys', 'nav.keys', 'keys'],
    ['requests', 'nav.requests', 'requests'],
    ['auth-keys', 'nav.authkeys', 'people'],
    ['models', 'nav.models', 'models'],
    ['playground', 'nav.playground', 'play'],
    ['connect', 'nav.connect', 'connect'],
    ['settings', 'nav.settings', 'settings'],
];

function PageAt({ place }: { place: Place }) {
    switch (place.path[0] ?? '') {
        case '':
            return <OverviewPage />;
        case 'keys':
            return (
                <KeysPage provider={place.path[1] ?? ''} query={place.query} />
            );
        case 'requests':
            return <RequestsPage query={place.query} />;
        case 'auth-keys':
            return <AuthKeysPage />;
        case 'models':
            return <ModelsPage />;
        case 'playground':
            return <PlaygroundPage query={place.query} />;
        case 'connect':
            return <ConnectPage />;
        case 'settings':
            return <SettingsPage />;
        default:
            return (
                <Page title={t('nowhere.title')}>
                    <Empty>
                        <p>{t('nowhere.text')}</p>
                        <a href={to([])}>{t('nav.overview')}</a>
                    </Empty>
                </Page>
            );
    }
}

const nextLook: Record<Look, Look> = {
    auto: 'light',
    light: 'dark',
    dark: 'auto',
};
const lookIcons: Record<Look, IconName> = {
    auto: 'auto',
    light: 'sun',
    dark: 'moon',
};

/* Language and colours, for the signed-in and the others. */
export function Tastes({ onChange }: { onChange: () => void }) {
    const look = chosenLook();
    return (
        <>
            <Button
                kind="quiet"
                icon={lookIcons[look]}
                label={t('look', { look: t(`look.${look}` as Word) })}
                onClick={() => {
                    setLook(nextLook[look]);
                    onChange();
                }}
            />
            <Button
                kind="quiet"
                icon="language"
                label={languageName() === 'en' ? '中文' : 'English'}
                onClick={() => {
                    setLanguage(languageName() === 'en' ? 'zh' : 'en');
                    onChange();
                }}
            />
        </>
    );
}

function Frame({
    place,
    session,
    onLeave,
    onChange,
}: {
    place: Place;
    session: Session;
    onLeave: () => void;
    onChange: () => void;
}) {
    const [open, setOpen] = useState(false);
    const here = place.path[0] ?? '';
    useEffect(() => setOpen(false), [here]);
    return (
        <div class="frame">
            <a class="skip" href="#main">
                {t('nav.skip')}
            </a>
            <header class="bar">
                <a class="brand" href={to([])}>
                    <span class="mark" aria-hidden="true" />
                    One Balance
                </a>
                <span class="menu-button">
                    <Button
                        kind="quiet"
                        icon={open ? 'close' : 'menu'}
                        label={t('nav.menu')}
                        expanded={open}
                        controls="ways"
                        onClick={() => setOpen(!open)}
                    />
                </span>
                <div id="ways" class={open ? 'ways open' : 'ways'}>
                    <nav aria-label={t('nav.label')}>
                        {ways.map(([path, word, icon]) => (
                            <a
                                key={path}
                                href={to(path ? [path] : [])}
                                aria-current={
                                    path === here ? 'page' : undefined
                                }
                            >
                                <Icon name={icon} />
                                {t(word)}
                            </a>
                        ))}
                    </nav>
                    <div class="bar-foot">
                        {session.name && (
                            <span class="who" title={session.name}>
                                {session.name}
                            </span>
                        )}
                        <Tastes onChange={onChange} />
                        <Button
                            kind="quiet"
                            icon="out"
                            label={t('signout')}
                            onClick={onLeave}
                        />
                    </div>
                </div>
            </header>
            <main id="main" tabIndex={-1}>
                <PageAt place={place} />
            </main>
        </div>
    );
}

export function App() {
    const place = usePlace();
    const [session, setSession] = useState<Session | null | undefined>(
        undefined,
    );
    const [error, setError] = useState<ApiError | null>(null);
    const [, turn] = useState(0);
    const enter = () => {
        setError(null);
        readSession().then(setSession, setError);
    };
    useEffect(() => {
        onSessionEnd(() => setSession(null));
        enter();
    }, []);
    const leave = async () => {
        await signOut().catch(() => {});
        setSession(null);
    };
    const change = () => turn((count) => count + 1);
    if (error)
        return (
            <main class="alone">
                <h1>One Balance</h1>
                <Problem error={error} again={enter} />
            </main>
        );
    return (
        <>
            {session === undefined ? (
                <div class="frame" aria-busy="true">
                    <header class="bar">
                        <span class="brand">
                            <span class="mark" aria-hidden="true" />
                            One Balance
                        </span>
                    </header>
                </div>
            ) : session ? (
                <Frame
                    key={languageName()}
                    place={place}
                    session={session}
                    onLeave={leave}
                    onChange={change}
                />
            ) : (
                <SignIn onEnter={enter} onChange={change} />
            )}
            <Toasts />
        </>
    );
}
