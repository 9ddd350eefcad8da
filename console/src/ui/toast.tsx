/* Short news in the corner, read out to those who do not see it. */
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Button } from './parts';

interface News {
    id: number;
    text: string;
    bad: boolean;
}

let next = 1;
let show: (news: News) => void = () => {};

export function tell(text: string, bad = false): void {
    show({ id: next++, text, bad });
}

/* Runs what a button does and tells what came of it. */
export async function telling(
    act: () => Promise<string | void>,
): Promise<boolean> {
    try {
        const said = await act();
        if (said) tell(said);
        return true;
    } catch (error) {
        tell((error as Error).message, true);
        return false;
    }
}

export function Toasts() {
    const [all, setAll] = useState<News[]>([]);
    const drop = (id: number) =>
        setAll((list) => list.filter((news) => news.id !== id));
    useEffect(() => {
        show = (news) => {
            setAll((list) => [...list.slice(-3), news]);
            setTimeout(() => drop(news.id), news.bad ? 12000 : 5000);
        };
    }, []);
    return (
        <div class="toasts" role="status" aria-live="polite">
            {all.map((news) => (
                <div key={news.id} class={news.bad ? 'toast bad' : 'toast'}>
                    <span>{news.text}</span>
                    <Button
                        small
                        kind="quiet"
                        icon="close"
                        label={t('close')}
                        onClick={() => drop(news.id)}
                    />
                </div>
            ))}
        </div>
    );
}
