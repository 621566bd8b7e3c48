/** The ledger: who changed what, from where and why, with before and after. */
import type { LedgerEntry } from '@etherloom/api';
import { Fragment, useState } from 'react';
import type { ReactElement } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useCall, useList } from '../api/calls.ts';
import { scopeQuery } from '../api/client.ts';
import { formatCount, formatTime, shorten } from '../format.ts';
import { describeAction, describeActor, linkOf } from '../ledger-words.ts';
import { diffResources } from '../resource-diff.ts';
import { SelectField, TextField } from '../ui/form.tsx';
import { Listed } from '../ui/listing.tsx';
import { Facts, PageHead, Time } from '../ui/page.tsx';
import { Blank } from '../ui/states.tsx';

const SPANS = [
  ['', 'any time'],
  ['3600', 'last hour'],
  ['86400', 'last day'],
  ['604800', 'last week'],
  ['2592000', 'last 30 days'],
] as const;

/** The page. */
export function ActivityPage(): ReactElement {
  const [search, setSearch] = useSearchParams();
  const value = (key: string): string => search.get(key) ?? '';
  const set = (key: string, text: string): void => {
    const next = new URLSearchParams(search);
    if (text === '') next.delete(key);
    else next.set(key, text);
    setSearch(next, { replace: true });
  };
  const query = {
    ...given('action', value('action')),
    ...given('network', value('network')),
    ...sinceOf(value('within')),
  };
  const list = useList('auditList', { query }, { isFiltered: true });
  const download = (
    <a className="button" href={`/v1/audit/export?${scopeQuery()}`} download>
      Export
    </a>
  );
  return (
    <>
      <PageHead title="Activity" acts={download}>
        <LedgerState />
      </PageHead>
      <div className="filters" role="search">
        <TextField
          label="Action"
          value={value('action')}
          placeholder="network.create"
          spellCheck={false}
          onValue={(text) => set('action', text)}
        />
        <NetworkFilter value={value('network')} onValue={(text) => set('network', text)} />
        <SelectField
          label="When"
          value={SPANS.find(([span]) => span === value('within'))?.[0] ?? ''}
          onValue={(text) => set('within', text)}
          options={SPANS}
        />
      </div>
      <div className="card">
        <Listed
          list={list}
          what="entries"
          blank={<Blank title="Nothing is recorded like that" icon="activity" />}
        >
          {(rows) => <Entries rows={rows} />}
        </Listed>
      </div>
    </>
  );
}

function given<K extends string>(key: K, text: string): { readonly [Key in K]?: string } {
  const part: { [Key in K]?: string } = {};
  if (text !== '') part[key] = text;
  return part;
}

/** To the minute, so that the same page is the same request. */
function sinceOf(within: string): { readonly since?: string } {
  const seconds = Number(within);
  if (within === '' || !Number.isFinite(seconds)) return {};
  const minute = Math.floor(Date.now() / 60_000) * 60_000;
  return { since: new Date(minute - seconds * 1_000).toISOString() };
}

function NetworkFilter(props: {
  readonly value: string;
  readonly onValue: (value: string) => void;
}): ReactElement {
  const networks = useList('networkList', {}, { limit: 1_000 });
  const names = (networks.items ?? []).map(({ name }) => [name, name] as const);
  return <SelectField label="Network" {...props} options={[['', 'any'], ...names]} />;
}

function LedgerState(): ReactElement {
  const { data } = useCall('ledgerShow', {});
  if (data === undefined) return <p>Every change, and nothing else.</p>;
  return (
    <p>
      {formatCount(data.head.number)} entries in a chain of hashes, the newest{' '}
      <code title={data.head.hash}>{shorten(data.head.hash, 12)}</code>. Check it with{' '}
      <code>loom audit verify</code>.
    </p>
  );
}

function Entries({ rows }: { readonly rows: readonly LedgerEntry[] }): ReactElement {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const toggle = (number: number): void => {
    const next = new Set(open);
    if (!next.delete(number)) next.add(number);
    setOpen(next);
  };
  return (
    <ul className="ledger" aria-label="Entries, the newest first">
      {rows.map((entry) => (
        <Fragment key={entry.number}>
          <Entry
            entry={entry}
            isOpen={open.has(entry.number)}
            onToggle={() => toggle(entry.number)}
          />
        </Fragment>
      ))}
    </ul>
  );
}

function Entry(props: {
  readonly entry: LedgerEntry;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}): ReactElement {
  const { entry, isOpen } = props;
  const id = `entry-${entry.number}`;
  return (
    <li>
      <button
        type="button"
        className="entry"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={props.onToggle}
      >
        <span className="mono soft">#{entry.number}</span>
        <span className="what">
          <strong>{describeActor(entry.actor)}</strong> {describeAction(entry)}
          {entry.reason !== null && <span className="soft"> · {entry.reason}</span>}
        </span>
        <span className="soft">
          <Time at={entry.at} />
        </span>
      </button>
      {isOpen && (
        <div id={id} className="entry-body">
          <EntryFacts entry={entry} />
          <EntryDiff entry={entry} />
        </div>
      )}
    </li>
  );
}

function EntryFacts({ entry }: { readonly entry: LedgerEntry }): ReactElement {
  const link = linkOf(entry);
  return (
    <Facts
      rows={[
        ['When', formatTime(entry.at)],
        ['Action', <code key="action">{entry.action}</code>],
        [
          'Target',
          <span key="target">
            <code>{entry.target.id}</code> {link !== null && <Link to={link}>Open</Link>}
          </span>,
        ],
        ['From', <code key="from">{entry.source ?? 'the controller itself'}</code>],
        ['Request', <code key="request">{entry.requestId ?? 'none'}</code>],
        ['Hash', <code key="hash">{entry.hash}</code>],
      ]}
    />
  );
}

function EntryDiff({ entry }: { readonly entry: LedgerEntry }): ReactElement {
  const fields = diffResources(entry.before, entry.after);
  if (fields.length === 0) return <p className="soft">No field of the resource differs.</p>;
  return (
    <div className="scroll">
      <table className="diff">
        <caption className="unseen">Before and after</caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(({ field, was, is }) => (
            <tr key={field}>
              <th scope="row">{field}</th>
              <td className={was === null ? '' : 'was'}>{was ?? ''}</td>
              <td className={is === null ? '' : 'is'}>{is ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
