import { RegrowError } from '../errors.ts';
import { optionsTable } from './describe.ts';
import { secretVariables } from './secrets.ts';

function secretsTable(): string {
  const rows = secretVariables.map(([name, option, what, holder]) => {
    const file = option.endsWith('File') ? `, \`${option}\`` : '';
    return `| \`${name}\` | ${what} | \`${name}_FILE\`${file} | ${holder} |`;
  });
  return ['| variable | what | or in the file named by | read by |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function replaceBetween(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) {
    throw new RegrowError('internal', `docs/configuration.md has no place for ${name}`, {
      file: 'docs/configuration.md',
      remedy: `put ${start} and ${end} where the table belongs`,
    });
  }
  return `${text.slice(0, from + start.length)}\n${content}${text.slice(to)}`;
}

/** docs/configuration.md with its tables as the schema has them. */
export function withGenerated(text: string): string {
  return replaceBetween(replaceBetween(text, 'options', optionsTable()), 'secrets', secretsTable());
}
