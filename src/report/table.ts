/** How text is dressed. `plain` for pipes and where NO_COLOR is set. */
export interface Style {
  readonly color: boolean;
  /** Columns of the terminal; text is not cut where it is unknown. */
  readonly width?: number;
}

export type Mood = 'good' | 'bad' | 'busy' | 'hold' | 'faint' | 'strong';

/** SGR codes (ECMA-48 §8.3.117) of the sixteen colours that every theme has. */
const codes: Readonly<Record<Mood, string>> = {
  good: '32',
  bad: '31',
  busy: '34',
  hold: '33',
  faint: '2',
  strong: '1',
};

export function paint(text: string, mood: Mood | undefined, style: Style): string {
  return style.color && mood !== undefined && text !== '' ? `\u001b[${codes[mood]}m${text}\u001b[0m` : text;
}

/** What a terminal would obey is shown instead: text from upstreams and logs is not to be trusted. Newlines and tabs stay. */
export function printable(text: string): string {
  return text
    .replace(/\u001b\[[0-9;:?]*[ -/]*[@-~]/g, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

export interface Cell {
  readonly text: string;
  readonly mood?: Mood | undefined;
}

const gap = '  ';

function fit(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 1 ? text.slice(0, width) : `${text.slice(0, width - 1)}…`;
}

/**
 * Columns side by side, each as wide as its widest cell; the last one is cut where the terminal ends. Without rows it is
 * empty text. Every line ends with a newline and has no space before it.
 */
export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  if (rows.length === 0) return '';
  const lines: (readonly Cell[])[] = [head.map((text) => ({ text, mood: 'faint' as const })), ...rows];
  const clean = lines.map((line) =>
    line.map((cell) => ({ ...cell, text: printable(cell.text).replaceAll('\n', ' ') })),
  );
  const widths = head.map((_, column) => Math.max(...clean.map((line) => line[column]?.text.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + gap.length, 0);
  const room = style.width === undefined ? Number.POSITIVE_INFINITY : Math.max(20, style.width - before);
  return clean
    .map((line) => {
      const cells = line.map(({ text, mood }, column) => {
        const isLast = column === line.length - 1;
        const shown = isLast ? fit(text, room) : text;
        return paint(shown, mood, style) + (isLast ? '' : ' '.repeat((widths[column] ?? 0) - shown.length));
      });
      return `${cells.join(gap).trimEnd()}\n`;
    })
    .join('');
}
