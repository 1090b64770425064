import { RegrowError } from '../../errors.ts';
import type { PipelineNode } from './pipeline-node.ts';
import type { Recipe } from './recipe-schema.ts';
import { type Scope, substituteKnown } from './substitute.ts';
import { recipeScope } from './variables.ts';

/** A source that a recipe names beyond doubt, a tag or a download, and the hash that it pins it to. */
export interface PinnedSource {
  /** Address of the repository or of the download. */
  readonly address: string;
  /** Of a repository. */
  readonly tag?: string;
  /** Lower-case hex: a commit, a sha256 or a sha512. */
  readonly pin: string;
}

/**
 * What the main pipeline pins, with the variables put in. Checkouts of a branch are no part of it: their commit may change. Neither
 * is what has a variable that only a build knows, nor anything of a recipe whose variables cannot be read.
 */
export function pinnedSources(recipe: Recipe): readonly PinnedSource[] {
  try {
    const scope = recipeScope(recipe);
    return [...pinsOf(recipe.pipeline, scope)];
  } catch (thrown) {
    if (thrown instanceof RegrowError) return [];
    throw thrown;
  }
}

function* pinsOf(nodes: readonly PipelineNode[], scope: Scope): Generator<PinnedSource> {
  for (const node of nodes) {
    const source = pinOf(node, (key) => substituteKnown(node.with[key] ?? '', scope));
    if (source !== undefined) yield source;
    yield* pinsOf(node.pipeline, scope);
  }
}

function pinOf({ uses }: PipelineNode, input: (key: string) => string): PinnedSource | undefined {
  if (uses === 'git-checkout') {
    const [address, tag, pin] = [input('repository'), input('tag'), input('expected-commit')];
    return tag !== '' && areKnown(address, tag) && isHash(pin) ? { address, tag, pin } : undefined;
  }
  if (uses !== 'fetch') return undefined;
  const [address, pin] = [input('uri'), input('expected-sha256') || input('expected-sha512')];
  return areKnown(address) && isHash(pin) ? { address, pin } : undefined;
}

function areKnown(...texts: readonly string[]): boolean {
  return texts.every((text) => !text.includes('${{'));
}

function isHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})$/.test(text);
}
