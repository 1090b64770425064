import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ManifestSource, pinnedProjects } from '../src/bump/pin-sources.ts';
import { judgePins, type PinVerdicts } from '../src/bump/pin-verdicts.ts';
import type { Manifest } from '../src/bump/project-versions.ts';

/**
 * What our rules make of the pins of a recipe, from manifests in clones at FOLDER/OWNER+NAME/repo. Undefined where the recipe
 * has no pins whose projects come from git, or a clone or a commit of theirs is not there.
 */
export function judgeUpstream(file: string, text: string, folder: string): PinVerdicts | undefined {
  const { steps, sources, absent } = pinnedProjects(file, text, { arch: 'x86_64', libc: 'gnu' });
  const clones = sources.map((source) => ({ source, clone: cloneOf(source, folder) }));
  if (clones.length === 0) return undefined;
  const manifests = new Map<string, Manifest>();
  for (const [path, why] of absent) manifests.set(path, { absent: why });
  for (const { source, clone } of clones) {
    if (clone === undefined) return undefined;
    for (const [path, place] of source.paths) {
      const shown = git(clone, 'show', `${source.commit}:${path}`);
      manifests.set(place, shown === undefined ? { absent: 'is not in the release' } : { text: shown });
    }
  }
  return judgePins(steps, (path) => manifests.get(path) ?? { absent: 'was not looked for' });
}

function cloneOf({ repository, commit }: ManifestSource, folder: string): string | undefined {
  const [, owner, name] = /^https:\/\/github\.com\/([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(repository) ?? [];
  const clone = join(folder, `${owner}+${name}`, 'repo');
  if (owner === undefined || name === undefined || !existsSync(clone)) return undefined;
  return git(clone, 'cat-file', '-t', `${commit}^{commit}`) === undefined ? undefined : clone;
}

function git(clone: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', ['-C', clone, ...args], { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 });
  return status === 0 ? stdout : undefined;
}
