import { compareApkVersions } from '../../model/apk-version.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { Generation } from '../../model/publication.ts';
import type { TargetName } from '../../model/target.ts';
import { generationsPrefix, readGeneration, readPackages } from '../../publish/manifest.ts';
import type { ConductorContext } from './context.ts';
import { tellWithdrawn } from './withdrawn.ts';
import type { World } from './world.ts';

type Published = World['published'];

/** Writes down the generations that the ledger does not know yet, oldest first, with what each added. */
export async function recordGenerations(context: ConductorContext, world: World): Promise<void> {
  const { generation } = world;
  if (generation === undefined) return;
  if (context.book.holds('publication', String(generation.generation), generation)) return;
  for (const number of await unknownBefore(context, generation)) {
    const older = await readGeneration(context.objects, number);
    if (older !== undefined) await recordGeneration(context, older, await packagesOf(context, older));
  }
  await recordGeneration(context, generation, world.published);
}

/** Generations that came after the last recorded one, and are kept: several may have come while nobody looked. */
async function unknownBefore({ book, objects }: ConductorContext, current: Generation): Promise<readonly number[]> {
  const numbers = [...book.all('publication')].map(({ value }) => value.generation);
  const last = Math.max(0, ...numbers.filter((number) => number < current.generation));
  if (last + 1 >= current.generation) return [];
  const kept = (await objects.list(generationsPrefix)).flatMap((key) => {
    const match = /^(\d+)\.json$/.exec(key.slice(generationsPrefix.length));
    return match === null ? [] : [Number(match[1])];
  });
  return kept.filter((number) => number > last && number < current.generation).toSorted((a, b) => a - b);
}

async function packagesOf({ objects, settings }: ConductorContext, generation: Generation): Promise<Published> {
  const published = new Map<TargetName, readonly Artifact[]>();
  for (const target of settings.targets) published.set(target, await readPackages(objects, generation, target));
  return published;
}

async function recordGeneration(
  { book }: ConductorContext,
  generation: Generation,
  published: Published,
): Promise<void> {
  const key = String(generation.generation);
  const news = new Set(generation.added);
  const added = new Map<string, { version: string; targets: string[] }>();
  for (const [target, artifacts] of published) {
    for (const { info } of artifacts) {
      if (info.name !== info.origin || !news.has(`${info.name}-${info.version} ${target}`)) continue;
      const known = added.get(info.name);
      if (known === undefined || compareApkVersions(info.version, known.version) > 0) {
        added.set(info.name, { version: info.version, targets: [target] });
      } else if (known.version === info.version) known.targets.push(target);
    }
  }
  for (const [name, { version, targets }] of added) {
    await book.tell({
      id: `published/${key}/${name}`,
      kind: 'published',
      package: name,
      text: `${name} ${version} is published for ${targets.join(', ')} in generation ${key}`,
      facts: { version, generation: generation.generation },
      at: generation.at,
    });
  }
  await tellWithdrawn({ book }, generation);
  await book.put('publication', key, generation);
}
