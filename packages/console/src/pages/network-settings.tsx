/** Settings of a network, and its end. */
import type { Network, NetworkSettings } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useNavigate } from 'react-router';

import { useEdit } from '../api/edit.ts';
import { formatNumberOf } from '../format.ts';
import { useSession } from '../session.tsx';
import { useAnnounce } from '../ui/announce.tsx';
import { Confirm } from '../ui/confirm.tsx';
import { Conflict } from '../ui/conflict.tsx';
import type { ConflictField } from '../ui/conflict.tsx';
import { Choices, Form, TextField, wrongOf } from '../ui/form.tsx';
import { Card, Facts, Time } from '../ui/page.tsx';
import { Unread } from '../ui/unread.tsx';

const CLONES = [
  ['split', 'Split', 'A copy becomes a node of its own, with its own keys and addresses.'],
  ['reject', 'Reject', 'The machine that came first stays; a copy is refused.'],
  ['replace', 'Replace', 'The machine that came last stays; the earlier one is refused.'],
] as const;
const ADMISSION = [
  ['approve', 'Ask me', 'A split-off copy waits until somebody approves it.'],
  ['admit', 'Admit', 'A split-off copy is a member at once.'],
] as const;
const POST_QUANTUM = [
  ['required', 'Required', 'Sessions are safe from later quantum computers (ML-KEM-768).'],
  ['off', 'Off', 'Sessions use X25519 alone: shorter handshakes.'],
] as const;

/** The tab. */
export function NetworkSettingsTab({ network }: { readonly network: Network }): ReactElement {
  const { can } = useSession();
  return (
    <div className="stack">
      <Card title="What it is" isPadded>
        <Facts
          rows={[
            ['Id', <code key="id">{network.id}</code>],
            [
              'IPv4 pool',
              <span key="4" className="mono">
                {network.ipv4 ?? 'none'}
              </span>,
            ],
            [
              'IPv6 pool',
              <span key="6" className="mono">
                {network.ipv6 ?? 'none'}
              </span>,
            ],
            ['Inner MTU', `${network.mtuBytes} bytes`],
            ['Revision', String(network.revision)],
            ['Created', <Time key="at" at={network.createdAt} />],
          ]}
        />
      </Card>
      <Card title="Rules" about="Members act on them once they are signed." isPadded>
        {can('network:write') ? (
          <SettingsForm key={network.id} network={network} />
        ) : (
          <SettingsFacts settings={network.settings} />
        )}
      </Card>
      {can('network:write') && <DeleteCard network={network} />}
    </div>
  );
}

function SettingsFacts({ settings }: { readonly settings: NetworkSettings }): ReactElement {
  return (
    <Facts
      rows={[
        ['Copied machines', settings.clones],
        ['Split-off copies', settings.cloneAdmission],
        ['Without a controller', formatNumberOf(settings.stalenessDays, 'day')],
        ['Post-quantum keys', settings.postQuantum],
      ]}
    />
  );
}

/** What was typed: fields that were left alone are not in it, and stay as they are. */
type Draft = Partial<Omit<NetworkSettings, 'stalenessDays'>> & { readonly days?: string };

function SettingsForm({ network }: { readonly network: Network }): ReactElement {
  const announce = useAnnounce();
  const [draft, setDraft] = useState<Draft>({});
  const params = { network: network.id };
  const edit = useEdit(
    { route: 'networkShow', options: { params } },
    'networkSettings',
    Object.keys(draft).length > 0,
  );
  if (edit.shown === undefined) return <Unread edit={edit} what="the rules" />;
  const { settings } = edit.shown;
  const { days = String(settings.stalenessDays), ...chosen } = draft;
  const wanted = { ...settings, ...chosen, stalenessDays: Number(days) };
  const body = changedOf(settings, wanted);
  const submit = async (): Promise<void> => {
    if ((await edit.save({ params, body })) === null) return;
    setDraft((latest) => (latest === draft ? {} : latest)); // typed meanwhile: it stays
    announce('Saved the rules');
  };
  return (
    <Form
      submit="Save"
      isRunning={edit.isRunning}
      error={edit.error}
      isReady={Object.keys(body).length > 0}
      onSubmit={() => void submit()}
      conflict={
        edit.was !== null && (
          <Conflict
            fields={describeConflict(edit.was.settings, settings, draft)}
            onTakeTheirs={() => {
              edit.takeTheirs();
              setDraft({});
            }}
          />
        )
      }
    >
      <SettingsFields
        wanted={wanted}
        days={days}
        onChange={(part) => setDraft({ ...draft, ...part })}
        error={edit.error}
      />
    </Form>
  );
}

function SettingsFields(props: {
  readonly wanted: NetworkSettings;
  readonly days: string;
  readonly onChange: (part: Draft) => void;
  readonly error: unknown;
}): ReactElement {
  const { wanted, days, onChange, error } = props;
  return (
    <div className="columns">
      <Choices
        label="When a machine is copied"
        value={wanted.clones}
        onValue={(clones) => onChange({ clones })}
        options={CLONES}
      />
      <Choices
        label="A split-off copy"
        value={wanted.cloneAdmission}
        onValue={(cloneAdmission) => onChange({ cloneAdmission })}
        options={ADMISSION}
      />
      <Choices
        label="Post-quantum keys"
        value={wanted.postQuantum}
        onValue={(postQuantum) => onChange({ postQuantum })}
        options={POST_QUANTUM}
      />
      <TextField
        label="Days without any controller"
        type="number"
        min={1}
        max={3_650}
        value={days}
        onValue={(typed) => onChange({ days: typed })}
        hint="How long members trust one another while no controller renews them."
        wrong={wrongOf(error, 'stalenessDays')}
      />
    </div>
  );
}

function describeConflict(
  was: NetworkSettings,
  present: NetworkSettings,
  draft: Draft,
): readonly ConflictField[] {
  const row = (
    name: string,
    key: 'clones' | 'cloneAdmission' | 'postQuantum',
    options: readonly (readonly [string, string, string])[],
  ): ConflictField => {
    const nameOf = (value: string): string =>
      options.find(([option]) => option === value)?.[1] ?? value;
    const typed = draft[key];
    return {
      name,
      was: nameOf(was[key]),
      present: nameOf(present[key]),
      typed: typed === undefined ? null : nameOf(typed),
    };
  };
  return [
    row('When a machine is copied', 'clones', CLONES),
    row('A split-off copy', 'cloneAdmission', ADMISSION),
    row('Post-quantum keys', 'postQuantum', POST_QUANTUM),
    {
      name: 'Days without any controller',
      was: String(was.stalenessDays),
      present: String(present.stalenessDays),
      typed: draft.days ?? null,
    },
  ];
}

/** What differs: a request names nothing else. */
function changedOf(before: NetworkSettings, after: NetworkSettings): Partial<NetworkSettings> {
  return {
    ...(before.clones === after.clones ? {} : { clones: after.clones }),
    ...(before.cloneAdmission === after.cloneAdmission
      ? {}
      : { cloneAdmission: after.cloneAdmission }),
    ...(before.stalenessDays === after.stalenessDays ? {} : { stalenessDays: after.stalenessDays }),
    ...(before.postQuantum === after.postQuantum ? {} : { postQuantum: after.postQuantum }),
  };
}

function DeleteCard({ network }: { readonly network: Network }): ReactElement {
  const navigate = useNavigate();
  const [isAsking, setIsAsking] = useState(false);
  const ask = (
    <button type="button" className="button danger" onClick={() => setIsAsking(true)}>
      Delete the network
    </button>
  );
  return (
    <Card title="End" acts={ask} about="Everything between its members stops.">
      {isAsking && (
        <Confirm
          route="networkDelete"
          options={{ params: { network: network.id } }}
          title={`Delete ${network.name}?`}
          effects={[
            `${formatNumberOf(network.memberCount, 'member')} lose the network within seconds: its interface is removed on each host.`,
            'Its reservations and join tokens are removed.',
            `Its VNI ${network.vni} is not used again until every member has confirmed.`,
            'This cannot be undone.',
          ]}
          verb="Delete"
          name={network.name}
          done={`Deleted the network ${network.name}`}
          onDone={() => navigate('/networks')}
          onClose={() => setIsAsking(false)}
        />
      )}
    </Card>
  );
}
