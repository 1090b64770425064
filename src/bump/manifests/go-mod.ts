import semver from 'semver';

/** What a `go.mod` or `go.work` says, as far as pins need it. */
export interface GoMod {
  /** Version that each module is required at; the highest where it is named twice. */
  readonly requires: ReadonlyMap<string, string>;
  readonly replaces: readonly GoReplace[];
  /** `MODULE@VERSION` that may not be used: a requirement of it counts for nothing. */
  readonly excludes: ReadonlySet<string>;
  /** Whether it names every module that its builds and tests use, as `go mod tidy` writes it from `go 1.17` on. */
  readonly isComplete: boolean;
}

export interface GoReplace {
  readonly module: string;
  /** Only this version is replaced, where one is named. */
  readonly version?: string;
  /** A module path, or a folder (`./x`, `../x`, `/x`), which has no version. */
  readonly by: string;
  readonly byVersion?: string;
}

/** Reads the directives that matter and passes over all others, also those of a newer Go (go.dev/ref/mod, "go.mod files"). */
export function readGoMod(text: string): GoMod {
  const requires = new Map<string, string>();
  const replaces: GoReplace[] = [];
  const excludes = new Set<string>();
  let isComplete = false;
  for (const [directive, ...words] of statements(text)) {
    const [module, version] = words;
    if (module === undefined) continue;
    if (directive === 'go') isComplete = isPruned(module);
    if (directive === 'require' && version !== undefined) {
      const known = requires.get(module);
      const isLower = known !== undefined && (compareGoVersions(version, known) ?? 0) < 0;
      if (!isLower) requires.set(module, version);
    } else if (directive === 'exclude' && version !== undefined) excludes.add(`${module}@${version}`);
    else if (directive === 'replace') replaces.push(...replacement(words));
  }
  return { requires, replaces, excludes, isComplete };
}

/**
 * Order of two Go versions, or undefined where one is none: a branch, a query such as `latest` or `v1`. Pseudo-versions are
 * pre-releases and sort as such; `+incompatible` says how a module is versioned and has no order.
 */
export function compareGoVersions(a: string, b: string): -1 | 0 | 1 | undefined {
  const [one, other] = [parse(a), parse(b)];
  return one === null || other === null ? undefined : semver.compare(one, other);
}

function parse(version: string): semver.SemVer | null {
  return version.startsWith('v') ? semver.parse(version) : null;
}

/** Graph pruning (go.dev/ref/mod): since Go 1.17. */
function isPruned(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 17);
}

function replacement(words: readonly string[]): readonly GoReplace[] {
  const arrow = words.indexOf('=>');
  const [module, version] = words.slice(0, arrow);
  const [by, byVersion] = words.slice(arrow + 1);
  if (arrow === -1 || module === undefined || by === undefined) return [];
  return [
    {
      module,
      by,
      ...(version === undefined ? {} : { version }),
      ...(byVersion === undefined ? {} : { byVersion }),
    },
  ];
}

/** Each statement as words, its directive first, also where it stands in a block of `directive ( … )`. */
function statements(text: string): readonly (readonly string[])[] {
  const found: string[][] = [];
  let block: string | undefined;
  for (const line of text.split('\n')) {
    const words = wordsOf(line);
    const [first] = words;
    if (first === undefined) continue;
    if (block !== undefined) {
      if (first === ')') block = undefined;
      else found.push([block, ...words]);
    } else if (words[1] === '(' && words.length === 2) block = first;
    else found.push(words);
  }
  return found;
}

/** Words of a line without its comment; a word may stand in quotes, whose content is taken as it is. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/"[^"]*"|`[^`]*`|\/\/.*|[()]|=>|(?:(?!\/\/)[^\s"`()])+/g)) {
    if (word.startsWith('//')) break;
    words.push(/^["`]/.test(word) ? word.slice(1, -1) : word);
  }
  return words;
}
