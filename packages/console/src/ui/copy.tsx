/** Text to be taken elsewhere, with a button that copies it. */
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useAnnounce } from './announce.tsx';
import { Icon } from './icons.tsx';

/** A command or a secret. `what` names it: "the command". */
export function Copyable({
  text,
  what,
}: {
  readonly text: string;
  readonly what: string;
}): ReactElement {
  const announce = useAnnounce();
  const [isCopied, setIsCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setIsCopied(true);
      announce(`Copied ${what}`);
    } catch {
      announce('The browser refused: select the text and copy it');
    }
  };
  return (
    <div className="copyable">
      <pre aria-label={what} tabIndex={0} role="region">
        {text}
      </pre>
      <button
        type="button"
        className="button"
        onClick={() => void copy()}
        aria-label={`Copy ${what}`}
      >
        <Icon name={isCopied ? 'done' : 'copy'} /> {isCopied ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
