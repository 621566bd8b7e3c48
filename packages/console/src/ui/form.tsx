/** Fields with their labels, hints and reasons for refusal, tied together for screen readers. */
import { useId } from 'react';
import type { FormEvent, InputHTMLAttributes, ReactElement, ReactNode } from 'react';
import { describeError } from '../api/errors.ts';
import { Failed } from './states.tsx';

interface FieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  /** Why the value was refused. */
  readonly wrong?: string | undefined;
}

type InputProps = FieldProps & {
  readonly value: string;
  readonly onValue: (value: string) => void;
} & Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onChange' | 'id'>;

/** One line of text. */
export function TextField({ label, hint, wrong, onValue, ...input }: InputProps): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        {...input}
        autoComplete={input.autoComplete ?? 'off'}
        aria-invalid={wrong !== undefined}
        aria-describedby={`${id}-about`}
        onChange={(event) => onValue(event.target.value)}
      />
      <About id={id} hint={hint} wrong={wrong} />
    </div>
  );
}

/** One of several. */
export function SelectField<T extends string>(
  props: FieldProps & {
    readonly value: T;
    readonly onValue: (value: T) => void;
    readonly options: readonly (readonly [T, string])[];
    readonly isRequired?: boolean;
  },
): ReactElement {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      <select
        id={id}
        value={props.value}
        required={props.isRequired === true}
        aria-invalid={props.wrong !== undefined}
        aria-describedby={`${id}-about`}
        onChange={(event) => {
          const chosen = props.options.find(([value]) => value === event.target.value);
          if (chosen !== undefined) props.onValue(chosen[0]);
        }}
      >
        {props.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
      <About id={id} hint={props.hint} wrong={props.wrong} />
    </div>
  );
}

function About({
  id,
  hint,
  wrong,
}: {
  readonly id: string;
  readonly hint: ReactNode;
  readonly wrong: string | undefined;
}): ReactElement | null {
  if (hint === undefined && wrong === undefined) return null;
  return (
    <div id={`${id}-about`}>
      {wrong !== undefined && <p className="wrong">{wrong}</p>}
      {hint !== undefined && <p className="hint">{hint}</p>}
    </div>
  );
}

/** One of a few, each with a sentence. */
export function Choices<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly onValue: (value: T) => void;
  readonly options: readonly (readonly [T, string, string])[];
}): ReactElement {
  const id = useId();
  return (
    <fieldset className="choices">
      <legend>{props.label}</legend>
      {props.options.map(([value, name, about]) => (
        <div key={value} className="choice">
          <input
            type="radio"
            id={`${id}-${value}`}
            name={id}
            checked={props.value === value}
            aria-describedby={`${id}-${value}-about`}
            onChange={() => props.onValue(value)}
          />
          <div>
            <label htmlFor={`${id}-${value}`}>{name}</label>
            <p id={`${id}-${value}-about`}>{about}</p>
          </div>
        </div>
      ))}
    </fieldset>
  );
}

/** Yes or no. */
export function Check(props: {
  readonly label: string;
  readonly about?: string;
  readonly isOn: boolean;
  readonly autoFocus?: boolean;
  readonly onChange: (isOn: boolean) => void;
}): ReactElement {
  const id = useId();
  return (
    <div className="choice">
      <input
        type="checkbox"
        id={id}
        checked={props.isOn}
        autoFocus={props.autoFocus === true}
        aria-describedby={props.about === undefined ? undefined : `${id}-about`}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      <div>
        <label htmlFor={id}>{props.label}</label>
        {props.about !== undefined && <p id={`${id}-about`}>{props.about}</p>}
      </div>
    </div>
  );
}

/** Fields, why they were refused, and the buttons. */
export function Form(props: {
  readonly onSubmit: () => void;
  readonly submit: string;
  readonly isRunning: boolean;
  readonly error: unknown;
  readonly isDangerous?: boolean;
  readonly isReady?: boolean;
  /** Shown above the buttons, such as that somebody else was faster. */
  readonly conflict?: ReactNode;
  readonly onCancel?: (() => void) | undefined;
  readonly children: ReactNode;
}): ReactElement {
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!props.isRunning && props.isReady !== false) props.onSubmit();
  };
  const danger = props.isDangerous === true ? ' danger' : '';
  return (
    <form onSubmit={submit}>
      {props.children}
      {props.conflict !== undefined && props.conflict !== null && (
        <div className="form-conflict">{props.conflict}</div>
      )}
      {props.error !== null && props.error !== undefined && (
        <div className="form-error">
          <Failed error={props.error} />
        </div>
      )}
      <div className="form-acts">
        {props.onCancel !== undefined && (
          <button type="button" className="button" onClick={props.onCancel}>
            Cancel
          </button>
        )}
        <button
          type="submit"
          className={`button primary${danger}`}
          disabled={props.isRunning || props.isReady === false}
        >
          {props.isRunning ? 'Working …' : props.submit}
        </button>
      </div>
    </form>
  );
}

/** Why a field of the last call was refused. */
export function wrongOf(error: unknown, field: string): string | undefined {
  return error === null || error === undefined ? undefined : describeError(error).fields[field];
}
