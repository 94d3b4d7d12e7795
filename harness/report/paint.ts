/** Colour for terminals; the caller has decided whether there is any. */

import { styleText } from 'node:util';
import type { Status } from '../runner/result.ts';

type Style = Parameters<typeof styleText>[0];

/** Puts a style around text. */
export type Paint = (style: Style, text: string) => string;

/** Paints, or leaves the text alone. */
export function painter(color: boolean): Paint {
  // styleText of newer Node versions looks at the stream itself unless told not to.
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
}

/** The style of a status word. */
export function styleOf(status: Status | 'known'): Style {
  switch (status) {
    case 'PASS':
      return 'green';
    case 'FAIL':
    case 'BROK':
      return 'red';
    case 'WARN':
    case 'known':
      return 'yellow';
    case 'CONF':
    case 'INFO':
      return 'gray';
    default:
      return status satisfies never;
  }
}
