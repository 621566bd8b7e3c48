/** How long the ledger keeps its entries. */
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useCall } from '../api/calls.ts';
import { useEdit } from '../api/edit.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Conflict } from '../ui/conflict.tsx';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Card, Facts } from '../ui/page.tsx';
import { Failed, Loading } from '../ui/states.tsx';
import { Unread } from '../ui/unread.tsx';

/** The card. */
export function RetentionCard(): ReactElement {
  const { can } = useSession();
  const { data, error, retry } = useCall('ledgerShow', {});
  if (data === undefined)
    return error === null ? (
      <Loading what="the ledger" />
    ) : (
      <Failed error={error} onRetry={retry} />
    );
  return (
    <Card
      title="Ledger"
      about="Older entries are dropped up to a signed checkpoint, so that what is kept stays provable."
      isPadded
    >
      <Facts
        rows={[
          [
            'Entries',
            data.head.number === 0
              ? 'none yet'
              : `${formatCount(data.head.firstNumber)} to ${formatCount(data.head.number)}`,
          ],
          ['Kept for', formatNumberOf(data.auditDays, 'day')],
          ['Signed by', <code key="key">{data.keys.at(-1) ?? 'nobody yet'}</code>],
        ]}
      />
      {can('audit:write') && <RetentionForm />}
    </Card>
  );
}

function RetentionForm(): ReactElement {
  const announce = useAnnounce();
  const [typed, setTyped] = useState<string | null>(null);
  const edit = useEdit({ route: 'ledgerShow', options: {} }, 'ledgerChange', typed !== null);
  if (edit.shown === undefined) return <Unread edit={edit} what="how long it is kept" />;
  const { auditDays } = edit.shown;
  const days = typed ?? String(auditDays);
  const submit = async (): Promise<void> => {
    if ((await edit.save({ body: { auditDays: Number(days) } })) === null) return;
    setTyped((latest) => (latest === typed ? null : latest)); // typed meanwhile: it stays
    announce(`Entries are kept for ${days} days`);
  };
  return (
    <div className="spaced">
      <Form
        submit="Save"
        isRunning={edit.isRunning}
        error={edit.error}
        isReady={Number(days) !== auditDays}
        onSubmit={() => void submit()}
        conflict={
          edit.was !== null && (
            <Conflict
              fields={[
                {
                  name: 'Days to keep entries',
                  was: String(edit.was.auditDays),
                  present: String(auditDays),
                  typed,
                },
              ]}
              onTakeTheirs={() => {
                edit.takeTheirs();
                setTyped(null);
              }}
            />
          )
        }
      >
        <TextField
          label="Days to keep entries"
          type="number"
          min={30}
          value={days}
          onValue={setTyped}
          hint="At least 30. Fewer days drop entries that are older: they do not come back."
          wrong={wrongOf(edit.error, 'auditDays')}
        />
      </Form>
    </div>
  );
}
