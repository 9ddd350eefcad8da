/* Which keys to take along, in which form, and whether with the secrets. */
import { useState } from 'preact/hooks';
import { query } from '../api';
import { t } from '../i18n';
import { Dialog } from '../ui/dialog';
import { Icon } from '../ui/icon';
import { Button, Field, Notice } from '../ui/parts';

export function ExportKeys({
    provider,
    onClose,
}: {
    provider: string;
    onClose: () => void;
}) {
    const [format, setFormat] = useState('csv');
    const [secrets, setSecrets] = useState(false);
    return (
        <Dialog
            title={t('keys.export')}
            onClose={onClose}
            foot={
                <>
                    <Button onClick={onClose}>{t('cancel')}</Button>
                    <a
                        class="button main"
                        href={`/admin/api/keys/export${query({ format, provider, secrets: secrets ? 1 : null })}`}
                        download
                        onClick={onClose}
                    >
                        <Icon name="down_to" />
                        {t('export.do')}
                    </a>
                </>
            }
        >
            <div class="stack">
                <p>
                    {t('export.text', {
                        provider: provider || t('provider.all'),
                    })}
                </p>
                <Field label={t('export.format')}>
                    <select
                        value={format}
                        onChange={(event) =>
                            setFormat(event.currentTarget.value)
                        }
                    >
                        <option value="csv">CSV</option>
                        <option value="json">JSON</option>
                        <option value="text">{t('export.lines')}</option>
                    </select>
                </Field>
                <label class="tick">
                    <input
                        type="checkbox"
                        checked={secrets}
                        onChange={(event) =>
                            setSecrets(event.currentTarget.checked)
                        }
                    />
                    {t('export.secrets')}
                </label>
                {secrets && (
                    <Notice kind="warning">{t('export.warning')}</Notice>
                )}
            </div>
        </Dialog>
    );
}
