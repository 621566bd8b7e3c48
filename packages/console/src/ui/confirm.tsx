/**
 * Asks before something is destroyed: says what it will do, and where it cannot be undone asks for
 * the name of what it is about.
 */
import type { RouteName } from '@etherloom/api';
import { useState } from 'react';
import type { ReactElement } from 'react';
import type { Options } from '../api/calls.ts';
import { useAct } from '../api/calls.ts';
import { useAnnounce } from './announce.tsx';
import { Dialog } from './dialog.tsx';
import { Form, TextField } from './form.tsx';

export interface ConfirmProps<N extends RouteName> {
  /** What does it. */
  readonly route: N;
  readonly options: Options<N>;
  readonly title: string;
  /** What it will do, a sentence each. */
  readonly effects: readonly string[];
  /** What the button says: the verb. */
  readonly verb: string;
  /** Name to be typed; absent: it can be undone, a press is enough. */
  readonly name?: string;
  /** What is said once it is done. */
  readonly done: string;
  /** Once it is done; default: `onClose`. */
  readonly onDone?: () => unknown;
  readonly onClose: () => void;
}

/** The question, and what follows a yes. Why it is done goes to the ledger. */
export function Confirm<N extends RouteName>(props: ConfirmProps<N>): ReactElement {
  const announce = useAnnounce();
  const act = useAct(props.route);
  const [typed, setTyped] = useState('');
  const [reason, setReason] = useState('');
  const submit = async (): Promise<void> => {
    const why = reason.trim() === '' ? {} : { reason: reason.trim() };
    if ((await act.run({ ...props.options, ...why })) === null) return;
    announce(props.done);
    await (props.onDone ?? props.onClose)();
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <Form
        submit={props.verb}
        isDangerous
        isRunning={act.isRunning}
        error={act.error}
        isReady={props.name === undefined || typed.trim() === props.name}
        onSubmit={() => void submit()}
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
