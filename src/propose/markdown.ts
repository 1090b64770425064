/**
 * Text from outside as one line of Markdown: it cannot make markup, or end a table cell or comment. A space without width stands
 * behind `@` and `#`: forges look for people to notify and issues to close in the finished text, where an entity is no help.
 */
export function plain(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[&<>|[\]*_`~\\@#]/g, (character) =>
      character === '@' || character === '#' ? `${character}&#8203;` : `&#${character.codePointAt(0)};`,
    );
}

/** Text from outside as code in a line. */
export function code(text: string): string {
  return `<code>${plain(text)}</code>`;
}

/** A link, where the address is one; the bare text otherwise. */
export function link(text: string, address: string | undefined): string {
  if (address === undefined || !/^https?:\/\/[^\s()<>"]+$/.test(address)) return plain(text);
  return `[${plain(text)}](${address})`;
}

/** Lines from outside as a block of code: the fence is longer than any run of backticks in them. */
export function codeBlock(lines: readonly string[]): string {
  const text = lines.join('\n');
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
