/** Join tokens that hosts may still use, and how one is revoked. */
import type { JoinTokenRow } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useList } from '../api/calls.ts';
import { formatCount } from '../format.ts';
import { useSession } from '../session.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';

/** The card. */
export function JoinTokens(): ReactElement {
  const { can } = useSession();
  const list = useList('tokenList', {});
  const networks = useList('networkList', {}, { limit: 1_000 });
  const names = new Map((networks.items ?? []).map(({ id, name }) => [id, name]));
  const [revoking, setRevoking] = useState<JoinTokenRow | null>(null);
  const act = (token: JoinTokenRow): ReactElement => (
    <button
      type="button"
      className="button plain small"
      aria-label={`Revoke ${token.label ?? token.id}`}
      onClick={() => setRevoking(token)}
    >
      Revoke
    </button>
  );
  return (
    <Card title="Join tokens" about="Commands that were made, without their secrets.">
      <Listed list={list} what="join tokens" blank={<Blank title="None is open" />}>
        {(rows) => (
          <Table
            label="Join tokens"
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              { name: 'Token', show: ({ id }) => <code>{id}</code> },
              { name: 'Label', show: ({ label }) => label ?? '' },
              { name: 'Network', show: ({ networkId }) => names.get(networkId) ?? networkId },
              {
                name: 'Uses left',
                isNumber: true,
                show: ({ usesLeft, uses }) => `${formatCount(usesLeft)} of ${formatCount(uses)}`,
              },
              { name: 'Expires', show: ({ expiresAt }) => <Time at={expiresAt} /> },
              { name: 'Made', show: ({ createdAt }) => <Time at={createdAt} /> },
              ...(can('join_token:write') ? [{ name: 'Act', isActs: true, show: act }] : []),
            ]}
          />
        )}
      </Listed>
      {revoking !== null && <Revoke token={revoking} onClose={() => setRevoking(null)} />}
    </Card>
  );
}

function Revoke(props: {
  readonly token: JoinTokenRow;
  readonly onClose: () => void;
}): ReactElement {
  return (
    <Confirm
      route="tokenDelete"
      options={{ params: { token: props.token.id } }}
      title="Revoke this join token?"
      effects={[
        'Hosts that have not joined yet are refused with it.',
        'Those that joined by it stay members.',
      ]}
      verb="Revoke"
      done="Revoked the join token"
      onClose={props.onClose}
    />
  );
}
