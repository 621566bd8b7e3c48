/** What a page shows in place of what it does not have: while it loads, when nothing is there, when
 * it failed. */
import type { ReactElement, ReactNode } from 'react';
import { describeError, isMissing } from '../api/errors.ts';
import { Icon } from './icons.tsx';
import type { IconName } from './icons.tsx';

/** While something is read. */
export function Loading({ what }: { readonly what: string }): ReactElement {
  return (
    <div className="loading" role="status">
      <div className="thread" />
      Reading {what} …
    </div>
  );
}

/** When there is nothing yet: what it would be, and how to get it. */
export function Blank(props: {
  readonly title: string;
  readonly icon?: IconName;
  readonly children?: ReactNode;
}): ReactElement {
  return (
    <div className="blank">
      {props.icon !== undefined && <Icon name={props.icon} />}
      <h3>{props.title}</h3>
      {props.children}
    </div>
  );
}

/** When a call failed: what went wrong, what to do, and by what the log is searched. */
export function Failed({
  error,
  onRetry,
}: {
  readonly error: unknown;
  readonly onRetry?: () => void;
}): ReactElement {
  const { message, action, requestId } = describeError(error);
  return (
    <div className="notice bad" role="alert">
      <Icon name="warning" />
      <div>
        <p>{message}</p>
        {action !== null && !isMissing(error) && <p>{action}</p>}
        {requestId !== null && (
          <small>
            Request <code>{requestId}</code>
          </small>
        )}
        {onRetry !== undefined && (
          <p>
            <button type="button" className="button small" onClick={onRetry}>
              Try again
            </button>
          </p>
        )}
      </div>
    </div>
  );
}

/** Something that a person should know before going on. */
export function Notice(props: {
  readonly kind: 'good' | 'warn' | 'bad';
  readonly children: ReactNode;
}): ReactElement {
  return (
    <div className={`notice ${props.kind}`}>
      <Icon name={props.kind === 'good' ? 'done' : 'warning'} />
      <div>{props.children}</div>
    </div>
  );
}
