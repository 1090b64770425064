import { RegrowError } from '../errors.ts';
import type { SourceChoice } from '../model/observation.ts';
import { annotationsOf } from '../model/recipe/annotations.ts';
import type { PipelineNode, Recipe } from '../model/recipe/recipe.ts';
import { releaseSources } from './registry.ts';
import type { ReleaseSource } from './source.ts';

/** Most characters of what names a place: no server would take more, and no form is tried on it. */
const longest = 2048;

/**
 * Where a recipe's releases are seen: as its annotation says, else its `update:` block, else, where the block names no place, as
 * the address of its one source says beyond doubt. Undefined where regrow has no source for it.
 * Throws recipe.annotation-invalid.
 */
export function chooseSource(recipe: Recipe): SourceChoice | undefined {
  const { source: written, pattern } = annotationsOf(recipe);
  if (pattern !== undefined) refuseIdlePattern(recipe, written);
  if (written !== undefined) return { key: annotatedKey(recipe, written), chosenBy: 'annotation' };
  for (const source of releaseSources) {
    const key = source.key(recipe);
    if (key !== undefined) return { key, chosenBy: 'update' };
  }
  return namesPlace(recipe) ? undefined : inferredFrom(recipe);
}

function annotatedKey(recipe: Recipe, written: string): string {
  const colon = written.indexOf(':');
  const kind = written.slice(0, colon);
  const source = releaseSources.find((candidate) => candidate.kind === kind);
  const key = written.length > longest ? undefined : source?.annotated(written.slice(colon + 1), recipe);
  if (key !== undefined) return key;
  const kinds = releaseSources.map((one) => one.kind).join(', ');
  throw new RegrowError(
    'recipe.annotation-invalid',
    source === undefined
      ? `${recipe.package.name}: there is no kind of source ${kind}`
      : `${recipe.package.name}: ${written} names no place of kind ${kind}`,
    {
      package: recipe.package.name,
      field: 'package.annotations.dev.regrow.source',
      remedy: `write KIND:IDENTIFIER as docs/watching.md says; kinds: ${kinds}`,
    },
  );
}

/** A pattern that nothing reads would look as if it worked. */
function refuseIdlePattern(recipe: Recipe, written: string | undefined): void {
  const reading = releaseSources.filter(({ readsPattern }) => readsPattern === true).map(({ kind }) => kind);
  if (reading.some((kind) => written?.startsWith(`${kind}:`) === true)) return;
  throw new RegrowError('recipe.annotation-invalid', `${recipe.package.name}: nothing reads the pattern`, {
    package: recipe.package.name,
    field: 'package.annotations.dev.regrow.pattern',
    remedy: `take it out, or name a source of kind ${reading.join(' or ')} in dev.regrow.source; elsewhere the update block says what a version is`,
  });
}

/** Whether the block names a place, be it one that regrow cannot watch. */
function namesPlace({ update }: Recipe): boolean {
  return (['github', 'git', 'release-monitor', 'oci', 'version-data'] as const).some(
    (kind) => update?.[kind] !== undefined,
  );
}

/** Several sources that are read as several places are in doubt. */
function inferredFrom(recipe: Recipe): SourceChoice | undefined {
  const found = new Map<string, string>();
  for (const address of addresses(recipe.pipeline)) {
    const keys = releaseSources.flatMap((source) => inferredKey(source, address));
    for (const key of keys) if (!found.has(key)) found.set(key, address);
  }
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) return undefined;
  return { key: only[0], chosenBy: 'address', address: only[1] };
}

function inferredKey(source: ReleaseSource, address: string): readonly string[] {
  const key = address.length > longest ? undefined : source.inferred?.(address);
  return key === undefined ? [] : [key];
}

function* addresses(nodes: readonly PipelineNode[]): Generator<string> {
  for (const node of nodes) {
    if (node.uses === 'fetch') yield node.with['uri'] ?? '';
    if (node.uses === 'git-checkout') yield node.with['repository'] ?? '';
    yield* addresses(node.pipeline);
  }
}
