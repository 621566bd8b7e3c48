/**
 * A dialog of the browser itself: `<dialog>` shown modally traps the focus, closes by Escape and
 * gives the focus back to what opened it.
 */
import { useLayoutEffect, useId, useRef } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { Icon } from './icons.tsx';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly isWide?: boolean;
  readonly children: ReactNode;
}

/** Open as long as it is drawn. */
export function Dialog({ title, onClose, isWide, children }: DialogProps): ReactElement {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  // With the drawing itself: no key pressed meanwhile reaches the page behind or is lost.
  useLayoutEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    if (dialog !== null && !dialog.open) dialog.showModal();
    // The browser would begin with the button that closes.
    dialog?.querySelector<HTMLElement>('.dialog-body :is(input, select, textarea, pre)')?.focus();
    return () => {
      dialog?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      className={isWide === true ? 'wide' : undefined}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" className="button plain icon" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="dialog-body">{children}</div>
    </dialog>
  );
}
