/* Windows above the page, on the browser's own <dialog>: it holds the focus,
 * closes with Escape, and gives the focus back. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Button, Notice } from './parts';

export function Dialog({
    title,
    side,
    wide,
    onClose,
    children,
    foot,
}: {
    title: ComponentChildren;
    side?: boolean;
    wide?: boolean;
    onClose: () => void;
    children: ComponentChildren;
    foot?: ComponentChildren;
}) {
    const box = useRef<HTMLDialogElement>(null);
    const pressed = useRef(false);
    const id = useId();
    useEffect(() => {
        const dialog = box.current!;
        const before = document.activeElement as HTMLElement | null;
        dialog.showModal();
        return () => {
            dialog.close();
            /* The box has left the page by now, and the focus with it. */
            before?.focus();
        };
    }, []);
    /* A click that begins and ends beside the box; selecting text does not. */
    const beside = (event: MouseEvent) => event.target === box.current;
    return (
        <dialog
            ref={box}
            class={`${side ? 'side' : 'box'}${wide ? ' wide' : ''}`}
            aria-labelledby={id}
            onCancel={(event) => {
                event.preventDefault();
                onClose();
            }}
            onMouseDown={(event) => {
                pressed.current = beside(event);
            }}
            onClick={(event) => {
                if (pressed.current && beside(event)) onClose();
            }}
        >
            <div class="dialog-inner">
                <div class="dialog-head">
                    <h2 id={id} tabIndex={-1} autofocus>
                        {title}
                    </h2>
                    <Button
                        kind="quiet"
                        icon="close"
                        label={t('close')}
                        onClick={onClose}
                    />
                </div>
                <div class="dialog-body" tabIndex={-1}>
                    {children}
                </div>
                {foot && <div class="dialog-foot">{foot}</div>}
            </div>
        </dialog>
    );
}

/* Asks before something is done that cannot be taken back, and says how it
 * went when it failed. */
export function Confirm({
    title,
    action,
    danger,
    disabled,
    onDo,
    onClose,
    children,
}: {
    title: string;
    action: string;
    danger?: boolean;
    disabled?: boolean;
    onDo: () => Promise<void>;
    onClose: () => void;
    children: ComponentChildren;
}) {
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState('');
    const act = async () => {
        setBusy(true);
        setProblem('');
        try {
            await onDo();
            onClose();
        } catch (error) {
            setProblem((error as Error).message);
            setBusy(false);
        }
    };
    return (
        <Dialog
            title={title}
            onClose={onClose}
            foot={
                <>
                    <Button onClick={onClose}>{t('cancel')}</Button>
                    <Button
                        kind={danger ? 'danger' : 'main'}
                        disabled={busy || disabled}
                        onClick={act}
                    >
                        {busy ? t('working') : action}
                    </Button>
                </>
            }
        >
            {children}
            {problem && <Notice kind="bad">{problem}</Notice>}
        </Dialog>
    );
}
