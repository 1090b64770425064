import { git } from './git.ts';
import { type CommitObject, type TreeChange, writeBlob, writeCommit, writeTag, writeTree } from './objects.ts';
import { closePull, settlePulls } from './pulls.ts';
import { revision, updateRef } from './refs.ts';
import { notFound } from './refusal.ts';
import {
  type CommentState,
  nextId,
  now,
  type PullState,
  personOf,
  type RepositoryState,
  type StatusState,
  timestamp,
  type World,
} from './state.ts';
import { archiveOf } from './website.ts';

/** Files by path. `null` takes one away; `{ text, executable }` says its mode. */
export type FileChanges = Readonly<
  Record<string, string | Uint8Array | null | { readonly text: string; readonly executable: boolean }>
>;

export interface NewCommit {
  readonly files: FileChanges;
  readonly message: string;
  /** Default: the default branch. Made from it where it is not there. */
  readonly branch?: string;
  readonly author?: string;
  /** Default: the clock. */
  readonly at?: Date;
}

export interface NewRelease {
  /** The tag; made on the default branch where it is not there. */
  readonly tag: string;
  readonly name?: string;
  readonly body?: string;
  readonly prerelease?: boolean;
  readonly draft?: boolean;
  readonly assets?: Readonly<Record<string, Uint8Array>>;
}

/** A repository of the fake as a test or the demo drives it: what upstream's people do. */
export interface FakeRepository {
  readonly owner: string;
  readonly name: string;
  /** The bare repository on disk. */
  readonly directory: string;
  /** Puts one commit on a branch and gives its id. */
  commit(commit: NewCommit): Promise<string>;
  /** Tags a commit (default: the default branch); with a message the tag is an object of its own. */
  tag(
    name: string,
    options?: { readonly commit?: string; readonly message?: string; readonly at?: Date },
  ): Promise<void>;
  deleteTag(name: string): Promise<void>;
  publishRelease(release: NewRelease): Promise<void>;
  deleteRelease(tag: string): void;
  /** Commit of a branch, tag or expression; undefined when there is none. */
  resolve(expression: string): Promise<string | undefined>;
  /** Text of a file at a commit or on the default branch; undefined when it is not there. */
  read(path: string, at?: string): Promise<string | undefined>;
  /** The bytes that `archive/refs/tags/TAG.tar.gz` answers. */
  archive(tag: string): Promise<Uint8Array>;
  /** By number. */
  pulls(): readonly Readonly<PullState>[];
  comments(number: number): readonly Readonly<CommentState>[];
  statuses(commit: string): readonly StatusState[];
  /** A person closes a pull request without merging it. */
  closePull(number: number, login: string): void;
}

export function driveRepository(world: World, state: RepositoryState): FakeRepository {
  const { directory, defaultBranch } = state;
  const main = `refs/heads/${defaultBranch}`;
  const resolve = (expression: string) => revision(directory, `${expression}^{commit}`);
  const repository: FakeRepository = {
    owner: state.owner,
    name: state.name,
    directory,
    resolve,
    async commit({ files, message, branch = defaultBranch, author, at }) {
      const ref = `refs/heads/${branch}`;
      const own = await resolve(ref);
      const parent = own ?? (await resolve(main));
      const person = personOf(world, author ?? state.owner);
      const by = at === undefined ? person : { ...person, time: Math.floor(at.getTime() / 1000) };
      const commit: Omit<CommitObject, 'sha'> = {
        tree: await writeTree(
          directory,
          parent === undefined ? undefined : `${parent}^{tree}`,
          await toChanges(directory, files),
        ),
        parents: parent === undefined ? [] : [parent],
        author: by,
        committer: by,
        message,
      };
      const made = await writeCommit(directory, commit);
      if (!(await updateRef(directory, ref, made, own ?? ''))) throw notFound();
      await settlePulls(world, state, author ?? state.owner);
      return made;
    },
    async tag(name, { commit, message, at } = {}) {
      const object = commit ?? (await resolve(main));
      if (object === undefined) throw notFound();
      const to =
        message === undefined
          ? object
          : await writeTag(directory, {
              object,
              type: 'commit',
              tag: name,
              tagger:
                at === undefined
                  ? personOf(world, state.owner)
                  : { ...personOf(world, state.owner), time: at.getTime() / 1000 },
              message,
            });
      await git(directory, ['update-ref', `refs/tags/${name}`, to]);
    },
    async deleteTag(name) {
      await git(directory, ['update-ref', '-d', `refs/tags/${name}`]);
    },
    async publishRelease({ tag, name = tag, body = '', prerelease = false, draft = false, assets = {} }) {
      if ((await resolve(`refs/tags/${tag}`)) === undefined) await repository.tag(tag);
      const commit = (await resolve(`refs/tags/${tag}`)) ?? '';
      const time = Number((await git(directory, ['log', '-1', '--format=%ct', commit])).trim());
      state.releases.push({
        id: nextId(world),
        tag,
        name,
        body,
        prerelease,
        draft,
        commit: defaultBranch,
        createdAt: timestamp(time),
        publishedAt: draft ? null : now(world),
        assets: Object.entries(assets).map(([file, content]) => ({ id: nextId(world), name: file, content })),
      });
    },
    deleteRelease(tag) {
      const index = state.releases.findIndex((release) => release.tag === tag);
      if (index >= 0) state.releases.splice(index, 1);
    },
    async read(path, at = main) {
      const blob = await revision(directory, `${at}:${path}`);
      return blob === undefined ? undefined : git(directory, ['cat-file', 'blob', blob]);
    },
    async archive(tag) {
      const bytes = await archiveOf(state, `refs/tags/${tag}`);
      if (bytes === undefined) throw notFound();
      return bytes;
    },
    pulls: () => [...state.pulls.values()],
    comments: (number) => state.comments.filter((comment) => comment.number === number),
    statuses: (commit) => state.statuses.filter((status) => status.sha === commit),
    closePull(number, login) {
      const pull = state.pulls.get(number);
      if (pull === undefined || pull.state === 'closed') throw notFound();
      closePull(world, pull, login);
    },
  };
  return repository;
}

async function toChanges(directory: string, files: FileChanges): Promise<readonly TreeChange[]> {
  const changes: TreeChange[] = [];
  for (const [path, given] of Object.entries(files)) {
    if (given === null) {
      changes.push({ path, mode: '100644', sha: undefined });
      continue;
    }
    const plain = typeof given === 'string' || given instanceof Uint8Array;
    const mode = !plain && given.executable ? '100755' : '100644';
    changes.push({ path, mode, sha: await writeBlob(directory, plain ? given : given.text) });
  }
  return changes;
}
