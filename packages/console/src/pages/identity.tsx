/** Identity providers of the organization: single sign-on by OpenID Connect. */
import { ROLES } from '@etherloom/api';
import type { IdentityProvider } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useList } from '../api/calls.ts';
import { useEdit } from '../api/edit.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Conflict } from '../ui/conflict.tsx';
import type { ConflictField } from '../ui/conflict.tsx';
import { Copyable } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Facts, PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
import { Unread } from '../ui/unread.tsx';
import { formatGroupRoles, parseGroupRoles } from '../group-roles.ts';

type Doing =
  | { readonly kind: 'create' }
  | { readonly kind: 'change' | 'delete'; readonly provider: IdentityProvider };

/** The page. */
export function IdentityPage(): ReactElement {
  const { can, organization } = useSession();
  const list = useList('identityProviderList', {});
  const [doing, setDoing] = useState<Doing | null>(null);
  const close = (): void => setDoing(null);
  const mayWrite = can('identity_provider:write');
  const create = (
    <button type="button" className="button primary" onClick={() => setDoing({ kind: 'create' })}>
      Add a provider
    </button>
  );
  return (
    <>
      <PageHead title="Single sign-on" acts={mayWrite ? create : undefined}>
        <p>Users of {organization} log in where they already are, and their groups give roles.</p>
      </PageHead>
      <Listed
        list={list}
        what="identity providers"
        blank={
          <div className="card">
            <Blank title="No identity provider yet" icon="identity">
              <p>Any provider of OpenID Connect will do: Keycloak, Entra ID, Okta, Google.</p>
            </Blank>
          </div>
        }
      >
        {(rows) => (
          <div className="stack">
            {rows.map((provider) => (
              <ProviderCard
                key={provider.id}
                provider={provider}
                onDo={mayWrite ? setDoing : null}
              />
            ))}
          </div>
        )}
      </Listed>
      {doing?.kind === 'create' && <AddProvider onClose={close} />}
      {doing?.kind === 'change' && <ChangeProvider provider={doing.provider} onClose={close} />}
      {doing?.kind === 'delete' && <DeleteProvider provider={doing.provider} onClose={close} />}
    </>
  );
}

function ProviderCard(props: {
  readonly provider: IdentityProvider;
  readonly onDo: ((doing: Doing) => void) | null;
}): ReactElement {
  const { provider, onDo } = props;
  const acts = onDo !== null && (
    <>
      <button
        type="button"
        className="button small"
        onClick={() => onDo({ kind: 'change', provider })}
      >
        Change
      </button>
      <button
        type="button"
        className="button small danger"
        onClick={() => onDo({ kind: 'delete', provider })}
      >
        Remove
      </button>
    </>
  );
  return (
    <Card title={provider.name} acts={acts} isPadded>
      <Facts
        rows={[
          ['Issuer', <code key="issuer">{provider.issuer}</code>],
          ['Client id', <code key="client">{provider.clientId}</code>],
          ['Client secret', provider.hasSecret ? 'kept sealed' : 'none: a public client'],
          ['Groups from', <code key="claim">{provider.groupsClaim}</code>],
          [
            'Groups to roles',
            provider.groupRoles.length === 0
              ? 'none'
              : provider.groupRoles.map(({ group, role }) => `${group} → ${role}`).join(', '),
          ],
          ['Without such a group', provider.refusesUnmapped ? 'refused' : 'let in without a role'],
          ['Since', <Time key="at" at={provider.createdAt} />],
        ]}
      />
      <h3 className="spaced">Redirect URI to register there</h3>
      <Copyable text={provider.redirectUri} what="the redirect URI" />
    </Card>
  );
}

/** What a form of a provider holds, as it is typed. */
interface Draft {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly secret: string;
  readonly claim: string;
  readonly groups: string;
  readonly refuses: boolean;
}

function draftOf(provider: IdentityProvider | null): Draft {
  return {
    name: provider?.name ?? '',
    issuer: provider?.issuer ?? 'https://',
    clientId: provider?.clientId ?? '',
    secret: '',
    claim: provider?.groupsClaim ?? 'groups',
    groups: formatGroupRoles(provider?.groupRoles ?? []),
    refuses: provider?.refusesUnmapped ?? true,
  };
}

/** What a draft says of a provider but its issuer; null: its groups cannot be read. */
function bodyOf(draft: Draft) {
  const parsed = parseGroupRoles(draft.groups);
  if (parsed.wrong !== null) return null;
  return {
    name: draft.name.trim(),
    clientId: draft.clientId.trim(),
    ...(draft.secret === '' ? {} : { clientSecret: draft.secret }),
    groupsClaim: draft.claim.trim(),
    groupRoles: [...parsed.groupRoles],
    refusesUnmapped: draft.refuses,
  };
}

function AddProvider({ onClose }: { readonly onClose: () => void }): ReactElement {
  const announce = useAnnounce();
  const act = useAct('identityProviderCreate');
  const [draft, setDraft] = useState(() => draftOf(null));
  const submit = async (): Promise<void> => {
    const body = bodyOf(draft);
    if (body === null) return;
    const made = await act.run({ body: { ...body, issuer: draft.issuer.trim() } });
    if (made === null) return;
    announce(`Saved the provider ${made.name}`);
    onClose();
  };
  return (
    <Dialog title="Add an identity provider" onClose={onClose}>
      <Form
        submit="Save"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <ProviderFields
          provider={null}
          draft={draft}
          onDraft={(part) => setDraft({ ...draft, ...part })}
          error={act.error}
        />
      </Form>
    </Dialog>
  );
}

function ChangeProvider(props: {
  readonly provider: IdentityProvider;
  readonly onClose: () => void;
}): ReactElement {
  const { provider, onClose } = props;
  const announce = useAnnounce();
  const params = { identityProvider: provider.id };
  const edit = useEdit(
    { route: 'identityProviderShow', options: { params } },
    'identityProviderChange',
    true,
  );
  const [typed, setTyped] = useState<Partial<Draft>>({});
  const title = `Change ${provider.name}`;
  const { shown } = edit;
  if (shown === undefined) {
    return (
      <Dialog title={title} onClose={onClose}>
        <Unread edit={edit} what={provider.name} />
      </Dialog>
    );
  }
  const draft = { ...draftOf(shown), ...typed };
  const submit = async (): Promise<void> => {
    const body = bodyOf(draft);
    if (body === null) return;
    const done = await edit.save({ params, body });
    if (done === null) return;
    announce(`Saved the provider ${done.name}`);
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        submit="Save"
        isRunning={edit.isRunning}
        error={edit.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
        conflict={
          edit.was !== null && (
            <Conflict
              fields={describeConflict(draftOf(edit.was), draftOf(shown), typed)}
              onTakeTheirs={() => {
                edit.takeTheirs();
                setTyped({});
              }}
            />
          )
        }
      >
        <ProviderFields
          provider={shown}
          draft={draft}
          onDraft={(part) => setTyped({ ...typed, ...part })}
          error={edit.error}
        />
      </Form>
    </Dialog>
  );
}

function describeConflict(
  was: Draft,
  present: Draft,
  typed: Partial<Draft>,
): readonly ConflictField[] {
  const row = (name: string, key: keyof Omit<Draft, 'secret'>): ConflictField => {
    const inWords = (value: string | boolean): string =>
      typeof value === 'boolean' ? (value ? 'yes' : 'no') : value.replaceAll('\n', ', ');
    const own = typed[key];
    return {
      name,
      was: inWords(was[key]),
      present: inWords(present[key]),
      typed: own === undefined ? null : inWords(own),
    };
  };
  return [
    row('Name', 'name'),
    row('Client id', 'clientId'),
    row('Claim that names groups', 'claim'),
    row('Groups to roles', 'groups'),
    row('Refuse who is in none of these groups', 'refuses'),
  ];
}

function ProviderFields(props: {
  readonly provider: IdentityProvider | null;
  readonly draft: Draft;
  readonly onDraft: (part: Partial<Draft>) => void;
  readonly error: unknown;
}): ReactElement {
  const { provider, draft, onDraft, error } = props;
  return (
    <>
      <TextField
        label="Name"
        value={draft.name}
        onValue={(name) => onDraft({ name })}
        required
        autoFocus
        hint="What the login page calls it."
        wrong={wrongOf(error, 'name')}
      />
      <TextField
        label="Issuer"
        type="url"
        value={draft.issuer}
        onValue={(issuer) => onDraft({ issuer })}
        required
        disabled={provider !== null}
        wrong={wrongOf(error, 'issuer')}
      />
      <TextField
        label="Client id"
        value={draft.clientId}
        onValue={(clientId) => onDraft({ clientId })}
        required
      />
      <TextField
        label="Client secret"
        type="password"
        value={draft.secret}
        onValue={(secret) => onDraft({ secret })}
        hint={
          provider?.hasSecret === true ? 'Empty: the kept one stays.' : 'Empty: a public client.'
        }
      />
      <TextField
        label="Claim that names groups"
        value={draft.claim}
        onValue={(claim) => onDraft({ claim })}
        required
      />
      <GroupField
        value={draft.groups}
        onValue={(groups) => onDraft({ groups })}
        wrong={parseGroupRoles(draft.groups).wrong}
      />
      <Check
        label="Refuse who is in none of these groups"
        about="Else such a user may log in, and may do nothing until given a role."
        isOn={draft.refuses}
        onChange={(refuses) => onDraft({ refuses })}
      />
    </>
  );
}

function GroupField(props: {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly wrong: string | null;
}): ReactElement {
  return (
    <div className="field">
      <label htmlFor="group-roles">Groups to roles</label>
      <textarea
        id="group-roles"
        value={props.value}
        spellCheck={false}
        aria-describedby="group-roles-about"
        aria-invalid={props.wrong !== null}
        onChange={(event) => props.onValue(event.target.value)}
      />
      <div id="group-roles-about">
        {props.wrong !== null && <p className="wrong">{props.wrong}</p>}
        <p className="hint">A line each: group = role. Roles: {ROLES.join(', ')}.</p>
      </div>
    </div>
  );
}

function DeleteProvider(props: {
  readonly provider: IdentityProvider;
  readonly onClose: () => void;
}): ReactElement {
  const { provider, onClose } = props;
  return (
    <Confirm
      route="identityProviderDelete"
      options={{ params: { identityProvider: provider.id } }}
      title={`Remove ${provider.name}?`}
      effects={[
        'Users that log in by it cannot log in any more, unless they have a password.',
        'Roles that its groups gave are taken away.',
        'This cannot be undone.',
      ]}
      verb="Remove"
      name={provider.name}
      done={`Removed the provider ${provider.name}`}
      onClose={onClose}
    />
  );
}
