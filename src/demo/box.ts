import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import { distributionFiles } from './distribution/files.ts';
import type { Pin } from './distribution/recipes/recipe.ts';
import { recipes } from './distribution/recipes/recipes.ts';
import { createGitHubFake, type GitHubFake } from './fakes/github/github.ts';
import type { FakeRepository } from './fakes/github/repository.ts';
import { createOsvFake, type OsvFake } from './fakes/osv/osv.ts';
import { projects } from './upstream/projects.ts';
import type { UpstreamProject, UpstreamRelease } from './upstream/upstream.ts';

/** The organization on the fake GitHub that everything of the box belongs to. */
export const boxOwner = 'regrow-box';
/** The repository of recipes, `regrow-box/os`. */
export const boxRepository = 'os';
/** Folder of the advisories in the OSV feed. */
export const boxEcosystem = 'GIT';
/** When the recipes were written: fixed, as all times that end up in packages are. */
const recipesWritten = new Date('2026-05-01T09:00:00Z');

export interface BoxOptions {
  /** Empty folder for the repositories. */
  readonly directory: string;
  /** Of the fakes' answers; commits made through the API do not read it, see `commitTime` of the GitHub fake. */
  readonly clock: Clock;
  /** Version of the host's C library, which host-libc packages. */
  readonly libcVersion: string;
  readonly tokens?: Readonly<Record<string, string>>;
}

/** The distribution in a box: a GitHub with eight projects and their recipes, and a feed of advisories, on loopback. */
export interface Box {
  readonly github: GitHubFake;
  readonly osv: OsvFake;
  /** The repository of recipes. */
  readonly os: FakeRepository;
  /** Where the daemon clones the recipes from. */
  readonly cloneUrl: string;
  /** For `sources.rewrite`: recipes name github.com, the box answers for it. */
  readonly rewrite: readonly { readonly from: string; readonly to: string }[];
  upstream(project: string): FakeRepository;
  /** What a project's people do for a release: commit, tag, and where they do, a release with its files. */
  release(project: string, version: string): Promise<void>;
  close(): Promise<void>;
}

export async function createBox(options: BoxOptions): Promise<Box> {
  const { clock, tokens } = options;
  const github = await createGitHubFake({
    directory: join(options.directory, 'github'),
    clock,
    commitTime: (parent) => parent + 60,
    ...(tokens === undefined ? {} : { tokens }),
  });
  const osv = await createOsvFake({ clock });
  const box: Omit<Box, 'os'> = {
    github,
    osv,
    cloneUrl: `${github.url}/${boxOwner}/${boxRepository}.git`,
    rewrite: [{ from: 'https://github.com/', to: `${github.url}/` }],
    upstream: (project) => github.repository(boxOwner, project),
    release: async (project, version) => {
      const { releases } = projectOf(project);
      const release = releases.find((release) => release.version === version);
      if (release === undefined) throw new Error(`the box has no ${project} ${version}`);
      await publish(github.repository(boxOwner, project), release);
    },
    async close() {
      await Promise.all([github.close(), osv.close()]);
    },
  };
  try {
    for (const project of projects) {
      const { name, description } = project;
      const repository = await github.createRepository(boxOwner, name, { description });
      await publish(repository, project.releases[0]);
    }
    return { ...box, os: await writeRecipes(github, options.libcVersion) };
  } catch (error) {
    await box.close();
    throw error;
  }
}

function projectOf(name: string): UpstreamProject {
  const project = projects.find((project) => project.name === name);
  if (project === undefined) throw new Error(`the box has no project ${name}`);
  return project;
}

async function publish(repository: FakeRepository, release: UpstreamRelease): Promise<void> {
  const { tag, files, message, notes, asset, tagMessage } = release;
  const at = new Date(release.at);
  await repository.commit({ files, message, at });
  await repository.tag(tag, tagMessage === undefined ? {} : { message: tagMessage, at });
  if (notes === undefined) return;
  const assets = asset === undefined ? {} : { [asset]: await repository.archive(tag) };
  await repository.publishRelease({ tag, body: notes, assets });
}

async function writeRecipes(github: GitHubFake, libcVersion: string): Promise<FakeRepository> {
  const os = await github.createRepository(boxOwner, boxRepository, { description: 'The distribution in a box' });
  const files: Record<string, string> = { ...distributionFiles };
  for (const recipe of recipes) {
    const pin =
      recipe.project === undefined
        ? { version: libcVersion, commit: '', sha256: '' }
        : await pinOf(github.repository(boxOwner, recipe.project), projectOf(recipe.project).releases[0]);
    files[`${recipe.name}.yaml`] = recipe.text(pin);
  }
  await os.commit({ files, message: 'The recipes of the box', at: recipesWritten });
  return os;
}

async function pinOf(repository: FakeRepository, { version, tag }: UpstreamRelease): Promise<Pin> {
  const archive = await repository.archive(tag);
  return {
    version,
    commit: (await repository.resolve(`refs/tags/${tag}`)) ?? '',
    sha256: createHash('sha256').update(archive).digest('hex'),
  };
}
