import type { Decision } from '../model/decision.ts';

/**
 * Where people can read about the release, and what changed upstream since the version before. The tag of the version before is
 * taken to be named like the new one; where that cannot be, there is no comparison.
 */
export function linksOf({ from, to }: Decision): { readonly release?: string; readonly compare?: string } {
  const [, repository] = /^(https?:\/\/[^/]+\/[^/]+\/[^/]+)\/releases\/tag\//.exec(to?.url ?? '') ?? [];
  if (to?.url === undefined) return {};
  const before = to.tag.includes(to.version) ? to.tag.replace(to.version, from.version) : undefined;
  if (repository === undefined || before === undefined) return { release: to.url };
  const range = [before, to.tag].map((tag) => encodeURIComponent(tag)).join('...');
  return { release: to.url, compare: `${repository}/compare/${range}` };
}
