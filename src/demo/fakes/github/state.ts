import type { Clock } from '../../../ports/clock.ts';
import type { Person } from './objects.ts';

/** What the fake remembers beside the git repositories on disk. Mutable on purpose: it is the server's database. */
export interface World {
  readonly clock: Clock;
  readonly directory: string;
  /** `http://127.0.0.1:PORT`, known once the server listens; stands for https://github.com. */
  url: string;
  readonly repositories: Map<string, RepositoryState>;
  /** Login by token; undefined: every request acts as `defaultLogin`. */
  readonly tokens: ReadonlyMap<string, string> | undefined;
  readonly defaultLogin: string;
  readonly userIds: Map<string, number>;
  lastId: number;
  readonly limit: RateLimit;
  readonly commitTime: ((parent: number) => number) | undefined;
}

/** `reset` is in seconds since 1970. */
export interface RateLimit {
  limit: number;
  remaining: number;
  reset: number;
}

export interface RepositoryState {
  readonly id: number;
  readonly owner: string;
  readonly name: string;
  readonly description: string;
  readonly defaultBranch: string;
  /** The bare repository. */
  readonly directory: string;
  readonly createdAt: string;
  pushedAt: string;
  readonly releases: ReleaseState[];
  readonly labels: Map<string, LabelState>;
  readonly pulls: Map<number, PullState>;
  readonly comments: CommentState[];
  readonly statuses: StatusState[];
  lastNumber: number;
}

export interface ReleaseState {
  readonly id: number;
  readonly tag: string;
  readonly name: string;
  readonly body: string;
  readonly draft: boolean;
  readonly prerelease: boolean;
  readonly commit: string;
  readonly createdAt: string;
  readonly publishedAt: string | null;
  readonly assets: readonly { readonly id: number; readonly name: string; readonly content: Uint8Array }[];
}

export interface LabelState {
  readonly id: number;
  readonly name: string;
  color: string;
  description: string;
}

export interface PullState {
  readonly id: number;
  readonly number: number;
  readonly author: string;
  readonly branch: string;
  base: string;
  title: string;
  body: string | null;
  state: 'open' | 'closed';
  labels: string[];
  readonly createdAt: string;
  updatedAt: string;
  closedAt: string | null;
  closedBy: string | null;
  mergedAt: string | null;
  mergedBy: string | null;
  mergeCommit: string | null;
  /** Where the branches were when it was last open. */
  head: string;
  baseHead: string;
}

export interface CommentState {
  readonly id: number;
  readonly number: number;
  readonly author: string;
  body: string;
  readonly createdAt: string;
  updatedAt: string;
}

export interface StatusState {
  readonly id: number;
  readonly sha: string;
  readonly state: 'error' | 'failure' | 'pending' | 'success';
  readonly context: string;
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly author: string;
  readonly createdAt: string;
}

export function nextId(world: World): number {
  world.lastId += 1;
  return world.lastId;
}

/** GitHub's times have whole seconds. */
export function timestamp(time: Date | number): string {
  const date = typeof time === 'number' ? new Date(time * 1000) : time;
  return `${date.toISOString().slice(0, 19)}Z`;
}

export function now(world: World): string {
  return timestamp(world.clock.now());
}

export function repositoryKey(owner: string, name: string): string {
  return `${owner}/${name}`.toLowerCase();
}

/** The person that a commit is by when the request names nobody, at the time when it says none. */
export function personOf(world: World, login: string, parentTime?: number): Person {
  const clock = Math.floor(world.clock.now().getTime() / 1000);
  const time = world.commitTime === undefined || parentTime === undefined ? clock : world.commitTime(parentTime);
  return { name: login, email: `${login}@users.noreply.github.com`, time };
}

export function userId(world: World, login: string): number {
  const known = world.userIds.get(login);
  if (known !== undefined) return known;
  const id = world.userIds.size + 1;
  world.userIds.set(login, id);
  return id;
}

/** The label of a name, made where it is new: GitHub makes unknown labels with this color when one is put on an issue. */
export function labelOf(world: World, repository: RepositoryState, name: string): LabelState {
  const known = repository.labels.get(name.toLowerCase());
  if (known !== undefined) return known;
  const label = { id: nextId(world), name, color: 'ededed', description: '' };
  repository.labels.set(name.toLowerCase(), label);
  return label;
}
