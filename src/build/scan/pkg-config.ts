import { directoryOf, type Findings, fileName, type ScanInput } from './findings.ts';

const searched = [
  'usr/lib/pkgconfig',
  'usr/lib64/pkgconfig',
  'usr/share/pkgconfig',
  'usr/local/lib/pkgconfig',
  'usr/local/share/pkgconfig',
];
const requireFields = ['requires', 'requires.private', 'requires.internal'];

/** `NAME=VALUE` variables put in; a variable that refers to itself stays as it is. */
function expand(text: string, variables: ReadonlyMap<string, string>, depth = 0): string {
  if (depth > 8) return text;
  return text.replace(/\$\{([^}]+)\}/g, (whole, name: string) => {
    const value = variables.get(name);
    return value === undefined ? whole : expand(value, variables, depth + 1);
  });
}

/** Modules that a `.pc` file requires, names only: the versions are for pkg-config itself to check. */
export function requiredModules(text: string): string[] {
  const variables = new Map<string, string>();
  const modules: string[] = [];
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.replace(/#.*/, '').trim();
    const variable = /^([A-Za-z0-9_.]+)\s*=\s*(.*)$/.exec(line);
    if (variable !== null) {
      variables.set(variable[1] ?? '', variable[2] ?? '');
      continue;
    }
    const [, field = '', value = ''] = /^([A-Za-z0-9_.]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (!requireFields.includes(field.toLowerCase())) continue;
    const list = expand(value, variables).replace(/\s*(<=|>=|!=|=|<|>)\s*[^\s,]+/g, ' ');
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
