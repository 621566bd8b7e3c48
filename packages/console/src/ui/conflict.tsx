/** Says that somebody else changed what a form is about, and lets one go on either way. */
import { useEffect, useRef } from 'react';
import type { ReactElement } from 'react';
import { Icon } from './icons.tsx';

/** A field of the form, in words. */
export interface ConflictField {
  readonly name: string;
  /** When the form began. */
  readonly was: string;
  readonly present: string;
  /** What was typed; null: this field was left alone. */
  readonly typed: string | null;
}

/** Shows what differs; what was typed stays in the form, whose button saves it over theirs. */
export function Conflict(props: {
  readonly fields: readonly ConflictField[];
  readonly onTakeTheirs: () => void;
}): ReactElement {
  const changed = props.fields.filter(({ was, present }) => was !== present);
  const ref = useRef<HTMLDivElement>(null);
  // A long form may have scrolled away from where it stands.
  useEffect(() => {
    ref.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  return (
    <div ref={ref} className="notice warn conflict" role="alert">
      <Icon name="warning" />
      <div>
        <p>
          <strong>Somebody changed this meanwhile.</strong> What you typed is still here: save it
          over theirs, or take theirs.
        </p>
        {changed.length === 0 ? (
          <p>What was changed is not part of this form.</p>
        ) : (
          <div className="scroll">
            <table className="folds">
              <caption className="unseen">What was changed meanwhile</caption>
              <thead>
                <tr>
                  <th scope="col">Field</th>
                  <th scope="col">Was</th>
                  <th scope="col">Is</th>
                  <th scope="col">You typed</th>
                </tr>
              </thead>
              <tbody>
                {changed.map(({ name, was, present, typed }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td data-label="Was">{was}</td>
                    <td data-label="Is">{present}</td>
                    <td data-label="You typed">{typed ?? 'nothing: theirs stays'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p>
          <button
            type="button"
            className="button small"
            onClick={(event) => {
              // It goes with the notice, and would take the focus along.
              const { form } = event.currentTarget;
              props.onTakeTheirs();
              form?.querySelector<HTMLElement>('input:enabled, select, textarea')?.focus();
            }}
          >
            Take theirs
          </button>
        </p>
      </div>
    </div>
  );
}
