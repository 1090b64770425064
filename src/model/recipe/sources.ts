import { isNativePipeline, type NativePipeline } from './native-pipelines.ts';
import type { PipelineNode } from './pipeline-node.ts';
import type { Recipe } from './recipe-schema.ts';
import { variablesIn } from './substitute.ts';

/** One `fetch` or `git-checkout` of the main pipeline, its inputs as written. */
export interface SourceNode {
  readonly kind: NativePipeline;
  /** Keys and indexes from the top of the file to the node, as YAML libraries take them. */
  readonly path: readonly (string | number)[];
  /** Template of the archive's address; of fetch. */
  readonly uri?: string;
  /** Templates; of git-checkout. */
  readonly repository?: string;
  readonly tag?: string;
  readonly branch?: string;
  readonly expectedSha256?: string;
  readonly expectedSha512?: string;
  readonly expectedCommit?: string;
  /** Whether what is fetched changes with `package.version`: its address, or the tag. */
  readonly followsVersion: boolean;
}

/**
 * Sources that the main pipeline takes, in its order, those of nested pipelines included. Conditions are not looked at: a
 * source of another architecture is one too.
 */
export function sourcesOf(recipe: Recipe): SourceNode[] {
  const versioned = versionedVariables(recipe);
  return nodesOf(recipe.pipeline, ['pipeline']).flatMap(({ node, path }) => {
    if (node.uses === undefined || !isNativePipeline(node.uses)) return [];
    const { uri, repository, tag, branch, ...hashes } = node.with;
    const follows = [uri, tag].some((text) => variablesIn(text ?? '').some((name) => versioned.has(name)));
    const fields = {
      uri,
      repository,
      tag,
      branch,
      expectedSha256: hashes['expected-sha256'],
      expectedSha512: hashes['expected-sha512'],
      expectedCommit: hashes['expected-commit'],
    };
    const present = Object.fromEntries(
      Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''),
    );
    return [{ kind: node.uses, path, ...present, followsVersion: follows }];
  });
}

/** Names of variables whose value depends on the version: directly, or by way of others and of transforms. */
function versionedVariables(recipe: Recipe): ReadonlySet<string> {
  const versioned = new Set(['package.version', 'package.full-version']);
  const depends = (text: string) => variablesIn(text).some((name) => versioned.has(name));
  for (let before = -1; before !== versioned.size; ) {
    before = versioned.size;
    for (const [name, value] of Object.entries(recipe.vars)) if (depends(value)) versioned.add(`vars.${name}`);
    for (const { from, to } of recipe['var-transforms']) if (depends(from)) versioned.add(`vars.${to}`);
  }
  return versioned;
}

interface PlacedNode {
  readonly node: PipelineNode;
  readonly path: readonly (string | number)[];
}

function nodesOf(nodes: readonly PipelineNode[], path: readonly (string | number)[]): PlacedNode[] {
  return nodes.flatMap((node, index) => {
    const own = [...path, index];
    return [{ node, path: own }, ...nodesOf(node.pipeline, [...own, 'pipeline'])];
  });
}
