import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ManifestSource, type PinnedProjects, pinnedProjects } from '../src/bump/pin-sources.ts';
import { judgePins, type PinVerdicts } from '../src/bump/pin-verdicts.ts';
import type { Manifest, ReadManifest } from '../src/bump/project-versions.ts';

const target = { arch: 'x86_64', libc: 'gnu' } as const;

/**
 * What our rules make of the pins of a recipe, bumped from `before`, from manifests in clones at FOLDER/OWNER+NAME/repo.
 * Undefined where it has no pins whose projects come from git, or a clone or a commit of theirs is not there.
 */
export function judgeUpstream(file: string, before: string, text: string, folder: string): PinVerdicts | undefined {
  const projects = pinnedProjects(file, text, target);
  const read = readerOf(projects, folder);
  if (read === undefined) return undefined;
  const verdicts = judgePins(projects.steps, read);
  if (!verdicts.asksFormer) return verdicts;
  return judgePins(projects.steps, read, readerOf(pinnedProjects(file, before, target), folder));
}

function readerOf({ sources, absent }: PinnedProjects, folder: string): ReadManifest | undefined {
  if (sources.length === 0) return undefined;
  const manifests = new Map<string, Manifest>();
  for (const [path, why] of absent) manifests.set(path, { absent: why });
  for (const source of sources) {
    const clone = cloneOf(source, folder);
    if (clone === undefined) return undefined;
    for (const [path, place] of source.paths) {
      const shown = git(clone, 'show', `${source.commit}:${path}`);
      manifests.set(place, shown === undefined ? { absent: 'is not in the release' } : { text: shown });
    }
  }
  return (path) => manifests.get(path) ?? { absent: 'was not looked for' };
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
