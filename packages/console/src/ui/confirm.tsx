/**
 * Asks before something is destroyed: says what it will do, and where it cannot be undone asks for
 * the name of what it is about.
 */
import { useState } from 'react';
import type { ReactElement } from 'react';
import { Dialog } from './dialog.tsx';
import { Form, TextField } from './form.tsx';

/** Why it is done, for the ledger; empty when nothing was said. */
export interface Why {
  readonly reason?: string;
}

export interface ConfirmProps {
  readonly title: string;
  /** What it will do, a sentence each. */
  readonly effects: readonly string[];
  /** What the button says: the verb. */
  readonly verb: string;
  /** Name to be typed; absent: it can be undone, a press is enough. */
  readonly name?: string;
  readonly isRunning: boolean;
  readonly error: unknown;
  readonly onConfirm: (why: Why) => void;
  readonly onClose: () => void;
}

/** The question. */
export function Confirm(props: ConfirmProps): ReactElement {
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <Form
        submit={props.verb}
        isDangerous
        isRunning={props.isRunning}
        error={props.error}
        isReady={props.name === undefined || typed.trim() === props.name}
        onSubmit={() => props.onConfirm(reason.trim() === '' ? {} : { reason: reason.trim() })}
        onCancel={props.onClose}
      >
        <ul className="effects">
          {props.effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
        {props.name !== undefined && (
          <TextField
            label={`Type ${props.name} to confirm`}
            value={typed}
            onValue={setTyped}
            spellCheck={false}
          />
        )}
        <TextField
          label="Why"
          value={reason}
          onValue={setReason}
          maxLength={200}
          placeholder="for the ledger; may be empty"
        />
      </Form>
    </Dialog>
  );
}
