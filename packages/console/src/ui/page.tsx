/** The head of a page, and parts that most pages have. */
import { useEffect } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { NavLink } from 'react-router';
import { formatSince, formatTime } from '../format.ts';
import { useNow } from './now.ts';

/** Title, one sentence, and what can be done here. Also names the page in the browser's tab. */
export function PageHead(props: {
  readonly title: string;
  readonly mark?: ReactNode;
  readonly children?: ReactNode;
  readonly acts?: ReactNode;
}): ReactElement {
  useEffect(() => {
    document.title = `${props.title} · etherloom`;
  }, [props.title]);
  return (
    <div className="page-head">
      <div>
        <h1>
          {props.title} {props.mark}
        </h1>
        {props.children}
      </div>
      {props.acts !== undefined && <div className="page-acts">{props.acts}</div>}
    </div>
  );
}

/** A box with a heading of its own. */
export function Card(props: {
  readonly title: string;
  readonly about?: ReactNode;
  readonly acts?: ReactNode;
  readonly isPadded?: boolean;
  readonly children: ReactNode;
}): ReactElement {
  return (
    <section className="card" aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.acts}
        {props.about !== undefined && <p>{props.about}</p>}
      </header>
      {props.isPadded === true ? <div className="inside">{props.children}</div> : props.children}
    </section>
  );
}

/** Names and values. */
export function Facts({
  rows,
}: {
  readonly rows: readonly (readonly [string, ReactNode])[];
}): ReactElement {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A time as it is said, with the exact one beneath the pointer. */
export function Time({
  at,
  or = 'never',
}: {
  readonly at: string | null;
  readonly or?: string;
}): ReactElement {
  const nowMs = useNow();
  if (at === null) return <span className="soft">{or}</span>;
  return (
    <time dateTime={at} title={formatTime(at)} className="nowrap">
      {formatSince(at, nowMs)}
    </time>
  );
}

/** Parts of a page that have an address each. */
export function Tabs(props: {
  readonly label: string;
  readonly items: readonly (readonly [string, string])[];
}): ReactElement {
  return (
    <nav className="tabs" aria-label={props.label}>
      {props.items.map(([to, name]) => (
        <NavLink key={to} to={to} end>
          {name}
        </NavLink>
      ))}
    </nav>
  );
}

/** A dot with a word: what kind of state it is never hangs on colour alone. */
export function State(props: {
  readonly kind: 'good' | 'warn' | 'bad' | 'off';
  readonly children: ReactNode;
}): ReactElement {
  return <span className={`state ${props.kind}`}>{props.children}</span>;
}
