import { compareApkVersions } from '../../src/model/apk-version.ts';
import type { Artifact } from '../../src/model/artifact.ts';

/** A second reading of the solver's rules, which shares only the order of versions with it. */
interface Wish {
  readonly name: string;
  readonly operator: string;
  readonly version: string;
  readonly conflict: boolean;
}

export function readWish(text: string): Wish {
  const [, bang, name = '', operator = '', version = ''] = /^(!?)([a-z0-9:.]+)([<>=~]*)(.*)$/.exec(text) ?? [];
  return { name, operator, version, conflict: bang === '!' };
}

export function isMetBy({ name, operator, version }: Wish, { info }: Artifact): boolean {
  const provided = info.provides.map((text) => text.split('='));
  const own = info.name === name ? info.version : provided.find(([other]) => other === name)?.[1];
  const carries = info.name === name || provided.some(([other]) => other === name);
  if (!carries || operator === '') return carries;
  if (own === undefined) return false;
  const order = compareApkVersions(own, version);
  if (operator === '~') return own === version || own.startsWith(`${version}.`) || own.startsWith(`${version}-r`);
  return (
    (operator.includes('=') && order === 0) ||
    (operator.includes('<') && order < 0) ||
    (operator.includes('>') && order > 0)
  );
}

/** Names that a package has with a version: nobody else may have one of them so. */
function claims({ info }: Artifact): readonly string[] {
  return [info.name, ...info.provides.filter((text) => text.includes('=')).map((text) => text.split('=')[0] ?? '')];
}

/** Whether a set of packages holds by itself, and has what is wanted. */
export function isWhole(set: readonly Artifact[], wanted: readonly string[]): boolean {
  const names = set.flatMap(claims);
  if (new Set(names).size !== names.length) return false;
  const holds = (text: string, by?: Artifact) => {
    const wish = readWish(text);
    const meeting = set.filter((one) => isMetBy(wish, one));
    return wish.conflict ? meeting.every((one) => one === by) : meeting.length > 0;
  };
  return wanted.every((text) => holds(text)) && set.every((one) => one.info.depends.every((text) => holds(text, one)));
}
