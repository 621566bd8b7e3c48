/** The card before the console: set-up and login. */
import { useEffect } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { Mark } from './icons.tsx';

/** A page with nothing but one question. */
export function Gate(props: {
  readonly title: string;
  readonly about: ReactNode;
  readonly children: ReactNode;
}): ReactElement {
  useEffect(() => {
    document.title = `${props.title} · etherloom`;
  }, [props.title]);
  return (
    <main className="gate">
      <div className="gate-card">
        <div className="brand">
          <Mark /> etherloom
        </div>
        <div className="weave" />
        <div className="inside">
          <h1>{props.title}</h1>
          <p className="soft">{props.about}</p>
          {props.children}
        </div>
      </div>
    </main>
  );
}
