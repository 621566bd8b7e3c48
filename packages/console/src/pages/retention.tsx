/** How long the ledger keeps its entries. */
import type { Ledger } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useCall } from '../api/calls.ts';
import { formatCount, formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Form, TextField, wrongOf } from '../ui/form.tsx';
import { Card, Facts } from '../ui/page.tsx';
import { Failed, Loading } from '../ui/states.tsx';

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
      {can('audit:write') && <RetentionForm ledger={data} />}
    </Card>
  );
}

function RetentionForm({ ledger }: { readonly ledger: Ledger }): ReactElement {
  const announce = useAnnounce();
  const act = useAct('ledgerChange');
  const [days, setDays] = useState(String(ledger.auditDays));
  const submit = async (): Promise<void> => {
    if ((await act.run({ body: { auditDays: Number(days) } })) !== null)
      announce(`Entries are kept for ${days} days`);
  };
  return (
    <div className="spaced">
      <Form
        submit="Save"
        isRunning={act.isRunning}
        error={act.error}
        isReady={Number(days) !== ledger.auditDays}
        onSubmit={() => void submit()}
      >
        <TextField
          label="Days to keep entries"
          type="number"
          min={30}
          value={days}
          onValue={setDays}
          hint="At least 30. Fewer days drop entries that are older: they do not come back."
          wrong={wrongOf(act.error, 'auditDays')}
        />
      </Form>
    </div>
  );
}
