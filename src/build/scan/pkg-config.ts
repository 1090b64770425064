import { directoryOf, type Findings, fileName, type ScanInput } from './findings.ts';

const searched = [
  'usr/lib/pkgconfig',
  'usr/lib64/pkgconfig',
  'usr/share/pkgconfig',
  'usr/local/lib/pkgconfig',
  'usr/local/share/pkgconfig',
];
const requireFields = ['requires', 'requires.private', 'requires.internal'];

/** Characters that the variables of one file may add to it; a few of them that name each other would be gigabytes. */
const expansionLimit = 64 * 1024;

/** Puts `NAME=VALUE` variables in; a variable that refers to itself stays as it is, and so does what would be too long. */
function createExpander(variables: ReadonlyMap<string, string>): (text: string) => string {
  let left = expansionLimit;
  const expand = (text: string, depth: number): string =>
    text.replace(/\$\{([^{}]+)\}/g, (whole, name: string) => {
      const value = variables.get(name);
      if (value === undefined || depth > 8 || value.length >= left) return whole;
      left -= value.length + 1;
      return expand(value, depth + 1);
    });
  return (text) => expand(text, 0);
}

/** Modules that a `.pc` file requires, names only: the versions are for pkg-config itself to check. Linear in the size of the file. */
export function requiredModules(text: string): string[] {
  const variables = new Map<string, string>();
  const expand = createExpander(variables);
  const modules: string[] = [];
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    // A long run of spaces would be looked through from each of them.
    const line = raw.replace(/#.*/, '').replace(/\s+/g, ' ').trim();
    const variable = /^([A-Za-z0-9_.]+) ?= ?(.*)$/.exec(line);
    if (variable !== null) {
      variables.set(variable[1] ?? '', variable[2] ?? '');
      continue;
    }
    const [, field = '', value = ''] = /^([A-Za-z0-9_.]+) ?: ?(.*)$/.exec(line) ?? [];
    if (!requireFields.includes(field.toLowerCase())) continue;
    const list = expand(value).replace(/ ?(<=|>=|!=|=|<|>) ?[^\s,]+/g, ' ');
    modules.push(...list.split(/[\s,]+/).filter((name) => /^[A-Za-z0-9_.+-]+$/.test(name)));
  }
  return modules;
}

/** `pc:NAME=VERSION` for `.pc` files where pkg-config looks for them, and `pc:` depends from what they require; one elsewhere is its package's own. */
export function scanPkgConfig(input: ScanInput): Findings {
  const provides: string[] = [];
  const depends: string[] = [];
  const vendored: string[] = [];
  for (const file of input.files) {
    if (!file.path.endsWith('.pc')) continue;
    const module = `pc:${fileName(file.path).slice(0, -'.pc'.length)}`;
    if (!searched.includes(directoryOf(file.path))) {
      vendored.push(module);
      continue;
    }
    provides.push(`${module}=${input.fullVersion}`);
    depends.push(...requiredModules(Buffer.from(file.content).toString('utf8')).map((name) => `pc:${name}`));
  }
  return { provides, depends, vendored };
}
