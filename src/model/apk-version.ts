import { RegrowError } from '../errors.ts';

/**
 * A version as apk reads it: `N(.N)*[a-z]?(_SUFFIX[N])*(~HEX)?(-rN)?`. The order is that of apk-tools, which decides what
 * is upgraded on a machine; apko's own order differs from it for leading zeros and cannot read several suffixes.
 */
export interface ApkVersion {
  readonly text: string;
  /** Digits as written: a component with a leading zero compares as text. */
  readonly numbers: readonly [string, ...string[]];
  readonly letter: string | undefined;
  readonly suffixes: readonly ApkVersionSuffix[];
  /** The commit hash after `~`, hex. */
  readonly hash: string | undefined;
  /** The digits after `-r`: melange's epoch. */
  readonly revision: string | undefined;
}

export interface ApkVersionSuffix {
  readonly name: string;
  readonly number: string | undefined;
}

/** In the order of their weight. Those of the first group stand before the plain version, the others after it. */
const preSuffixes = ['alpha', 'beta', 'pre', 'rc'];
const postSuffixes = ['cvs', 'svn', 'git', 'hg', 'p'];
const suffixes = [...preSuffixes, ...postSuffixes];

const grammar = new RegExp(
  `^([0-9]+(?:\\.[0-9]+)*)([a-z])?((?:_(?:${suffixes.join('|')})[0-9]*)*)(?:~([0-9a-f]+))?(?:-r([0-9]+))?$`,
);

export function isApkVersion(text: string): boolean {
  return grammar.test(text);
}

/** Throws recipe.version-invalid. */
export function parseApkVersion(text: string): ApkVersion {
  const match = grammar.exec(text);
  if (match === null) {
    throw new RegrowError('recipe.version-invalid', `${JSON.stringify(text)} is not a version that apk can read`, {
      remedy: 'write N(.N)*, then a letter, then _alpha, _beta, _pre, _rc, _cvs, _svn, _git, _hg or _p with a number',
    });
  }
  const [, digits = '', letter, tail = '', hash, revision] = match;
  const [first = '', ...rest] = digits.split('.');
  return { text, numbers: [first, ...rest], letter, suffixes: parseSuffixes(tail), hash, revision };
}

/** `a` against `b` in the order of apk-tools. Throws recipe.version-invalid when either cannot be read. */
export function compareApkVersions(a: string, b: string): -1 | 0 | 1 {
  if (a === b && isApkVersion(a)) return 0;
  return compareTokens(tokens(parseApkVersion(a)), tokens(parseApkVersion(b)));
}

/** Things by their version, newest first; each version is read once, however many there are. Throws recipe.version-invalid. */
export function newestFirst<T>(things: Iterable<T>, versionOf: (thing: T) => string): T[] {
  return Array.from(things, (thing) => ({ thing, tokens: tokens(parseApkVersion(versionOf(thing))) }))
    .sort((a, b) => compareTokens(b.tokens, a.tokens))
    .map(({ thing }) => thing);
}

/** Whether `version` begins with every token of `prefix`: what the operator `~` asks for, `1.2.3-r1` is `~1.2`. */
export function matchesFuzzily(version: string, prefix: string): boolean {
  const have = tokens(parseApkVersion(version));
  const want = tokens(parseApkVersion(prefix)).slice(0, -1);
  return want.every((token, i) => {
    const other = have[i];
    return other !== undefined && other.kind === token.kind && compareToken(other, token) === 0;
  });
}

/** `1.2.3-r4` as `1.2.3` and 4; a version without `-rN` has epoch 0, as in a recipe that does not say one. */
export function splitEpoch(fullVersion: string): { readonly version: string; readonly epoch: number } {
  const { text, revision } = parseApkVersion(fullVersion);
  if (revision === undefined) return { version: text, epoch: 0 };
  return { version: text.slice(0, -`-r${revision}`.length), epoch: Number(revision) };
}

/** The same, of any text: what people wrote into a title may be no version. */
export function withoutEpoch(fullVersion: string): string {
  return fullVersion.replace(/-r\d+$/, '');
}

/**
 * What a version consists of. Where two versions have tokens of different kinds at the same place, the one whose kind
 * comes first here is greater (`1.2.1` > `1.2a` > `1.2_p` > `1.2`), unless a suffix that means "before" decides.
 */
const kinds = ['first', 'number', 'letter', 'suffix', 'suffix-number', 'hash', 'revision', 'end'] as const;

interface Token {
  readonly kind: (typeof kinds)[number];
  readonly text: string;
}

function parseSuffixes(tail: string): readonly ApkVersionSuffix[] {
  return Array.from(tail.matchAll(/_([a-z]+)([0-9]*)/g), ([, name = '', number = '']) => ({
    name,
    number: number === '' ? undefined : number,
  }));
}

function tokens(version: ApkVersion): readonly Token[] {
  const [first, ...rest] = version.numbers;
  const list: Token[] = [{ kind: 'first', text: first }];
  for (const text of rest) list.push({ kind: 'number', text });
  if (version.letter !== undefined) list.push({ kind: 'letter', text: version.letter });
  for (const { name, number } of version.suffixes) {
    list.push({ kind: 'suffix', text: name });
    if (number !== undefined) list.push({ kind: 'suffix-number', text: number });
  }
  if (version.hash !== undefined) list.push({ kind: 'hash', text: version.hash });
  if (version.revision !== undefined) list.push({ kind: 'revision', text: version.revision });
  list.push({ kind: 'end', text: '' });
  return list;
}

function compareTokens(a: readonly Token[], b: readonly Token[]): -1 | 0 | 1 {
  for (let i = 0; i < a.length; i += 1) {
    const [left, right] = [a[i], b[i]];
    // The lists end with an `end` token, which differs from any other kind: the comparison is decided before either runs out.
    if (left === undefined || right === undefined) return 0;
    if (left.kind !== right.kind) return compareKinds(left, right);
    const order = compareToken(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

function compareKinds(a: Token, b: Token): -1 | 1 {
  if (isPreSuffix(a)) return -1;
  if (isPreSuffix(b)) return 1;
  return kinds.indexOf(a.kind) < kinds.indexOf(b.kind) ? 1 : -1;
}

function isPreSuffix(token: Token): boolean {
  return token.kind === 'suffix' && preSuffixes.includes(token.text);
}

/** Two tokens of one kind. */
function compareToken(a: Token, b: Token): -1 | 0 | 1 {
  switch (a.kind) {
    case 'number':
      // apk-tools compares as a decimal fraction would be as soon as one side has a leading zero: 1.01 < 1.1.
      return a.text.startsWith('0') || b.text.startsWith('0') ? order(a.text, b.text) : orderNumbers(a.text, b.text);
    case 'first':
    case 'suffix-number':
    case 'revision':
      return orderNumbers(a.text, b.text);
    case 'suffix':
      return order(suffixes.indexOf(a.text), suffixes.indexOf(b.text));
    default:
      return order(a.text, b.text);
  }
}

/** Decimal digits of any length by value, without going through a float: dates and hashes outgrow 2^53. */
function orderNumbers(a: string, b: string): -1 | 0 | 1 {
  const left = a.startsWith('0') ? a.replace(/^0+(?=.)/, '') : a;
  const right = b.startsWith('0') ? b.replace(/^0+(?=.)/, '') : b;
  return left.length === right.length ? order(left, right) : order(left.length, right.length);
}

function order<T extends string | number>(a: T, b: T): -1 | 0 | 1 {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
