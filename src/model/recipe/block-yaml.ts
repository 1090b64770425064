/** YAML as text: every scalar is what the file says (`1.10` stays `1.10`); an empty value, `~` and `null` are null. */
export type YamlValue = string | null | YamlValue[] | { [key: string]: YamlValue };

/** Thrown and caught in this file alone: the text uses YAML that only the full parser reads. */
const beyondSubset: unique symbol = Symbol('beyond the subset');

const keyLine = /^("(?:[^"\\])*"|'(?:[^'])*'|[A-Za-z0-9_$./<>=~+][^:#"'[\]{},&*!|%@`\s]*):(?: +(.*))?$/;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
};

/**
 * Reads the part of YAML that recipes are written in: block mappings and sequences, scalars on one line, `|` blocks,
 * comments. Gives undefined for anything else (flow collections, folded and multi-line scalars, anchors, tags, tabs,
 * errors), which the `yaml` package then reads. It is there for speed alone: about twenty times as fast, which is what lets
 * thousands of recipes be read in a second; a test compares it with `yaml`.
 */
export function readBlockYaml(text: string): YamlValue | undefined {
  if (!text.endsWith('\n') || text.startsWith('\uFEFF') || text.includes('\r')) return undefined;
  try {
    return new BlockReader(text.split('\n')).document();
  } catch (thrown) {
    if (thrown === beyondSubset) return undefined;
    throw thrown;
  }
}

function bail(): never {
  throw beyondSubset;
}

class BlockReader {
  private readonly lines: string[];
  /** The line that is read next, and what stands in it; a compact `- key: value` is read as its own line further in. */
  private at = 0;
  private indent = -1;
  private content = '';

  constructor(lines: string[]) {
    this.lines = lines;
    // The text ends with a line break, so that the last piece is empty and no line.
    this.lines.pop();
    this.load();
  }

  document(): YamlValue {
    if (!this.atIndent(0)) bail();
    const value = this.node(0);
    if (!this.atIndent(-1)) bail();
    return value;
  }

  /** Moves to the next line with content, from `at` on. */
  private load(): void {
    for (; this.at < this.lines.length; this.at++) {
      const line = this.lines[this.at] ?? '';
      let indent = 0;
      while (line.charCodeAt(indent) === 32) indent++;
      const first = line[indent];
      if (first === undefined || first === '#') continue;
      if (first === '\t' || (indent === 0 && (first === '%' || /^(---|\.\.\.)(\s|$)/.test(line)))) bail();
      this.indent = indent;
      this.content = line.slice(indent);
      return;
    }
    this.indent = -1;
    this.content = '';
  }

  /** -1: at the end. */
  private atIndent(indent: number): boolean {
    return this.indent === indent;
  }

  private next(): void {
    this.at++;
    this.load();
  }

  /** The collection whose entries stand at `indent`. */
  private node(indent: number): YamlValue {
    return isEntry(this.content) ? this.sequence(indent) : this.mapping(indent);
  }

  private sequence(indent: number): YamlValue[] {
    const items: YamlValue[] = [];
    while (this.indent === indent && isEntry(this.content)) {
      const rest = this.content.slice(1);
      const inner = rest.trimStart();
      if (inner === '' || inner.startsWith('#')) {
        items.push(this.below(indent, indent + 1));
        continue;
      }
      const offset = indent + 1 + rest.length - inner.length;
      if (isEntry(inner) || keyLine.test(inner)) {
        this.indent = offset;
        this.content = inner;
        items.push(this.node(offset));
      } else {
        items.push(this.scalar(inner, indent));
      }
    }
    if (this.indent > indent) bail();
    return items;
  }

  private mapping(indent: number): { [key: string]: YamlValue } {
    const map: { [key: string]: YamlValue } = {};
    while (this.indent === indent && !isEntry(this.content)) {
      const match = keyLine.exec(this.content) ?? bail();
      const written = match[1] ?? '';
      const key = written.startsWith('"') || written.startsWith("'") ? written.slice(1, -1) : written;
      if (Object.hasOwn(map, key) || key === '__proto__' || key === '<<') bail();
      const value = match[2] ?? '';
      // A sequence may stand at the same column as the key that it belongs to.
      map[key] = value === '' || value.startsWith('#') ? this.below(indent, indent) : this.scalar(value, indent);
    }
    if (this.indent > indent) bail();
    return map;
  }

  /** What follows `key:` or `-` on later lines: null where nothing is further in. */
  private below(indent: number, sequenceFrom: number): YamlValue {
    this.next();
    if (this.indent > indent) return this.node(this.indent);
    if (this.indent >= sequenceFrom && isEntry(this.content)) return this.sequence(this.indent);
    return null;
  }

  /** A value that begins on this line. `indent` is that of the collection that it stands in. */
  private scalar(text: string, indent: number): YamlValue {
    const first = text[0] ?? bail();
    if (first === '|') return this.literal(text, indent);
    const value = first === '"' ? doubleQuoted(text) : first === "'" ? singleQuoted(text) : plainOrEmpty(text);
    this.next();
    // Further in: the scalar goes on, or the text is wrong. Both are for the full parser.
    if (this.indent > indent) bail();
    return value;
  }

  private literal(header: string, parent: number): string {
    const chomping = /^\|([-+]?)(?: +#.*| *)$/.exec(header)?.[1] ?? bail();
    const kept: string[] = [];
    let indent = -1;
    let index = this.at + 1;
    for (; index < this.lines.length; index++) {
      const line = this.lines[index] ?? '';
      let spaces = 0;
      while (line.charCodeAt(spaces) === 32) spaces++;
      const blank = spaces === line.length;
      if (indent === -1 && !blank) {
        if (spaces <= parent) break;
        if (line[spaces] === '\t' || kept.some((before) => before.length > spaces)) bail();
        indent = spaces;
        kept.fill('');
      }
      if (!blank && spaces < indent) {
        if (line[spaces] === '\t') bail();
        break;
      }
      kept.push(indent === -1 ? line : line.slice(indent));
    }
    if (indent === -1) bail();
    this.at = index;
    this.load();
    if (this.indent > parent) bail();
    let last = kept.length;
    while (kept[last - 1] === '') last--;
    const body = kept.slice(0, last).join('\n');
    if (chomping === '-') return body;
    return chomping === '+' ? `${kept.join('\n')}\n` : `${body}\n`;
  }
}

/** `- x` or `-` alone. */
function isEntry(content: string): boolean {
  return content.charCodeAt(0) === 45 && (content.length === 1 || content.charCodeAt(1) === 32);
}

function plainOrEmpty(text: string): YamlValue {
  if (/^\{\}\s*(?:#.*)?$/.test(text)) return {};
  if (/^\[\]\s*(?:#.*)?$/.test(text)) return [];
  if (/^(?:[[\]{},#&*!|>'"%@`]|[-?:](?:\s|$))/.test(text)) bail();
  if (text.includes('\t')) bail();
  const comment = text.indexOf(' #');
  const value = (comment === -1 ? text : text.slice(0, comment)).trimEnd();
  if (value.endsWith(':') || value.includes(': ')) bail();
  return value === '' || value === '~' || /^(?:null|Null|NULL)$/.test(value) ? null : value;
}

function singleQuoted(text: string): string {
  const body = /^'((?:[^']|'')*)'\s*(?:\s#.*)?$/.exec(text)?.[1] ?? bail();
  return body.replaceAll("''", "'");
}

function doubleQuoted(text: string): string {
  const body = /^"((?:[^"\\]|\\.)*)"\s*(?:\s#.*)?$/.exec(text)?.[1] ?? bail();
  return body.includes('\\') ? body.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? bail()) : body;
}
