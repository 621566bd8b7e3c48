/** API tokens: for programs that act for a user. */
import type { ApiToken } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useList } from '../api/calls.ts';
import { useSession } from '../session.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Listed } from '../ui/listing.tsx';
import { PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { CreateApiToken } from './create-api-token.tsx';

/** The page. */
export function ApiTokensPage(): ReactElement {
  const { can } = useSession();
  const list = useList('apiTokenList', {});
  const [isCreating, setIsCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  const create = (
    <button type="button" className="button primary" onClick={() => setIsCreating(true)}>
      Create an API token
    </button>
  );
  return (
    <>
      <PageHead title="API tokens" acts={can('api_token:write') ? create : undefined}>
        <p>For programs. Each may do what its role may, and never more than who made it.</p>
      </PageHead>
      <div className="card">
        <Listed
          list={list}
          what="API tokens"
          blank={
            <Blank title="No API token yet" icon="key">
              <p>
                With one, a program calls the <a href="/docs">API</a> as you do here.
              </p>
            </Blank>
          }
        >
          {(rows) => (
            <TokenTable rows={rows} onRevoke={can('api_token:write') ? setRevoking : null} />
          )}
        </Listed>
      </div>
      {isCreating && <CreateApiToken onClose={() => setIsCreating(false)} />}
      {revoking !== null && <RevokeToken token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function TokenTable(props: {
  readonly rows: readonly ApiToken[];
  readonly onRevoke: ((token: ApiToken) => void) | null;
}): ReactElement {
  const { onRevoke } = props;
  const act = (token: ApiToken): ReactElement => (
    <button
      type="button"
      className="button plain small"
      aria-label={`Revoke ${token.name}`}
      onClick={() => onRevoke?.(token)}
    >
      Revoke
    </button>
  );
  return (
    <Table
      label="API tokens"
      rows={props.rows}
      keyOf={({ id }) => id}
      columns={[
        { name: 'Token', show: ({ name }) => name },
        { name: 'Begins with', show: ({ prefix }) => <code>{prefix}</code> },
        {
          name: 'May do',
          show: ({ role, scopes }) => (
            <>
              {role ?? 'what its user may'}
              {scopes !== null && (
                <>
                  , of that only <code>{scopes.join(' ')}</code>
                </>
              )}
            </>
          ),
        },
        { name: 'Last use', show: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
        { name: 'Expires', show: ({ expiresAt }) => <Time at={expiresAt} /> },
        ...(onRevoke === null ? [] : [{ name: 'Act', isActs: true, show: act }]),
      ]}
    />
  );
}

function RevokeToken(props: {
  readonly token: ApiToken;
  readonly onClose: () => void;
}): ReactElement {
  const { token, onClose } = props;
  return (
    <Confirm
      route="apiTokenDelete"
      options={{ params: { apiToken: token.id } }}
      title={`Revoke ${token.name}?`}
      effects={['Programs that use it are refused from then on.', 'This cannot be undone.']}
      verb="Revoke"
      name={token.name}
      done={`Revoked ${token.name}`}
      onClose={onClose}
    />
  );
}
