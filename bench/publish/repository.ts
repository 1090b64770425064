import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { compareArtifacts } from '../../src/formats/apk-index.ts';
import type { Artifact } from '../../src/model/artifact.ts';
import { sha256 } from '../../src/model/canonical.ts';
import type { Generation } from '../../src/model/publication.ts';
import { blobKey, type Objects } from '../../src/ports/objects.ts';
import { currentKey, encodeJson } from '../../src/publish/manifest.ts';
import { type Chance, createChance } from './chance.ts';

const target = 'x86_64-gnu';
const suffixes = ['', '-doc', '-dev', '-compat', '-bash-completion', '-libs', '-static', '-lang'] as const;
const libraries = ['c.so.6', 'z.so.1', 'crypto.so.3', 'ssl.so.3', 'stdc++.so.6', 'gcc_s.so.1', 'm.so.6'] as const;

/** Names of a distribution: those of its recipes with what their subpackages are usually called, until there are enough. */
export function namesOf(recipes: string | undefined, count: number): readonly string[] {
  const origins =
    recipes === undefined
      ? Array.from({ length: count }, (_, i) => `package-${i}`)
      : readdirSync(recipes).flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : []));
  const names = suffixes.flatMap((suffix) => origins.map((origin) => `${origin}${suffix}`));
  return [...new Set(names)].slice(0, count);
}

function digestOfName(algorithm: string, name: string): Buffer {
  return createHash(algorithm).update(name).digest();
}

function times(count: number, make: () => string): string[] {
  return [...new Set(Array.from({ length: count }, make))].toSorted();
}

/** About as much as an entry of a real index says: 3 to 4 depends, 2 to 3 provides, now and then many of them. */
function artifactOf(name: string, names: readonly string[], chance: Chance): Artifact {
  const version = `${chance.below(20)}.${chance.below(40)}.${chance.below(30)}-r${chance.below(6)}`;
  const many = chance.below(50) === 0 ? 60 : 0;
  const origin = suffixes.reduce<string>((left, suffix) => (suffix === '' ? left : left.replace(suffix, '')), name);
  const provided = () => {
    const kind = chance.pick(['cmd:', 'so:lib', 'pc:'] as const);
    return `${kind}${name}-${chance.below(1000)}${kind === 'so:lib' ? '.so.1' : ''}=${version}`;
  };
  const needed = () =>
    chance.below(3) === 0 ? (names[chance.below(names.length)] ?? name) : `so:lib${chance.pick(libraries)}`;
  return {
    info: {
      name,
      version,
      arch: 'x86_64',
      size: chance.below(50_000_000),
      origin,
      description: `what ${origin} is for, in a sentence as long as they usually are`,
      url: `https://example.org/projects/${origin}`,
      commit: digestOfName('sha1', origin).toString('hex'),
      buildDate: 1_700_000_000 + chance.below(60_000_000),
      licenses: [chance.pick(['MIT', 'Apache-2.0', 'GPL-2.0-or-later', 'BSD-3-Clause'])],
      depends: times(chance.below(8), needed),
      provides: times(chance.below(6) + many, provided),
      replaces: [],
      triggers: [],
      datahash: digestOfName('sha256', `data ${name}`).toString('hex'),
    },
    target,
    digest: digestOfName('sha256', name).toString('hex'),
    bytes: chance.below(20_000_000),
    checksum: `Q1${digestOfName('sha1', `control ${name}`).toString('base64')}`,
  };
}

/** A repository that has these packages, in the list that every publication starts from; package files are not needed. */
export async function seedRepository(objects: Objects, names: readonly string[]): Promise<void> {
  const chance = createChance(11_000);
  const packages = names.map((name) => artifactOf(name, names, chance)).toSorted(compareArtifacts);
  const list = encodeJson(packages);
  const empty = Buffer.alloc(0);
  for (const blob of [list, empty]) await objects.put(blobKey(sha256(blob)), blob);
  const generation: Generation = {
    schema: 1,
    generation: 1,
    token: 1,
    at: '2026-01-01T00:00:00.000Z',
    targets: { [target]: { index: sha256(empty), packages: sha256(list) } },
    added: [],
    removed: [],
  };
  await objects.swap(currentKey, encodeJson(generation), undefined);
}
