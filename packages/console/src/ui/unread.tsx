/** In place of a form whose resource was not read: nothing is typed over what is unknown. */
import type { ReactElement } from 'react';
import { Failed, Loading } from './states.tsx';

/** While it is read, or why it was not. */
export function Unread(props: {
  readonly edit: { readonly readError: unknown; readonly retry: () => void };
  readonly what: string;
}): ReactElement {
  const { edit, what } = props;
  if (edit.readError === null) return <Loading what={what} />;
  return <Failed error={edit.readError} onRetry={edit.retry} />;
}
