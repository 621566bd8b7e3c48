/** Identity providers of the organization: single sign-on by OpenID Connect. */
import { ROLES } from '@etherloom/api';
import type { IdentityProvider } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAct, useList } from '../api/calls.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import type { Why } from '../ui/confirm.tsx';
import { Copyable } from '../ui/copy.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Check, Form, TextField, wrongOf } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Card, Facts, PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';
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
      {doing?.kind === 'create' && <ProviderForm provider={null} onClose={close} />}
      {doing?.kind === 'change' && <ProviderForm provider={doing.provider} onClose={close} />}
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

/** What the form holds, as it is typed. */
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

function ProviderForm(props: {
  readonly provider: IdentityProvider | null;
  readonly onClose: () => void;
}): ReactElement {
  const { provider, onClose } = props;
  const announce = useAnnounce();
  const create = useAct('identityProviderCreate');
  const change = useAct('identityProviderChange');
  const act = provider === null ? create : change;
  const [draft, setDraft] = useState(() => draftOf(provider));
  const parsed = parseGroupRoles(draft.groups);
  const submit = async (): Promise<void> => {
    if (parsed.wrong !== null) return;
    const body = {
      name: draft.name.trim(),
      clientId: draft.clientId.trim(),
      ...(draft.secret === '' ? {} : { clientSecret: draft.secret }),
      groupsClaim: draft.claim.trim(),
      groupRoles: [...parsed.groupRoles],
      refusesUnmapped: draft.refuses,
    };
    const done =
      provider === null
        ? await create.run({ body: { ...body, issuer: draft.issuer.trim() } })
        : await change.run({ params: { identityProvider: provider.id }, body });
    if (done === null) return;
    announce(`Saved the provider ${done.name}`);
    onClose();
  };
  const title = provider === null ? 'Add an identity provider' : `Change ${provider.name}`;
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        submit="Save"
        isRunning={act.isRunning}
        error={act.error}
        onSubmit={() => void submit()}
        onCancel={onClose}
      >
        <ProviderFields
          provider={provider}
          draft={draft}
          onDraft={(part) => setDraft({ ...draft, ...part })}
          error={act.error}
        />
        <GroupField
          value={draft.groups}
          onValue={(groups) => setDraft({ ...draft, groups })}
          wrong={parsed.wrong}
        />
        <Check
          label="Refuse who is in none of these groups"
          about="Else such a user may log in, and may do nothing until given a role."
          isOn={draft.refuses}
          onChange={(refuses) => setDraft({ ...draft, refuses })}
        />
      </Form>
    </Dialog>
  );
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
  const announce = useAnnounce();
  const act = useAct('identityProviderDelete');
  const submit = async (why: Why): Promise<void> => {
    if ((await act.run({ params: { identityProvider: provider.id }, ...why })) === null) return;
    announce(`Removed the provider ${provider.name}`);
    onClose();
  };
  return (
    <Confirm
      title={`Remove ${provider.name}?`}
      effects={[
        'Users that log in by it cannot log in any more, unless they have a password.',
        'Roles that its groups gave are taken away.',
        'This cannot be undone.',
      ]}
      verb="Remove"
      name={provider.name}
      isRunning={act.isRunning}
      error={act.error}
      onConfirm={(why) => void submit(why)}
      onClose={onClose}
    />
  );
}
