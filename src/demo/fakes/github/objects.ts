import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { git, tryGit } from './git.ts';

export interface Person {
  readonly name: string;
  readonly email: string;
  /** Seconds since 1970. */
  readonly time: number;
}

export interface CommitObject {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: Person;
  readonly committer: Person;
  readonly message: string;
}

export interface TagObject {
  readonly sha: string;
  readonly object: string;
  readonly type: string;
  readonly tag: string;
  readonly tagger: Person;
  readonly message: string;
}

export interface TreeChange {
  readonly path: string;
  readonly mode: string;
  /** `undefined` takes the path away. */
  readonly sha: string | undefined;
}

export interface TreeLine {
  readonly path: string;
  readonly mode: string;
  readonly type: string;
  readonly sha: string;
  readonly size?: number;
}

/**
 * Writes a loose object (git: gitformat-loose) and gives its id. Without a process for each, because a box of
 * repositories is made of hundreds.
 */
async function writeObject(
  directory: string,
  type: 'blob' | 'commit' | 'tag',
  text: string | Uint8Array,
): Promise<string> {
  const content = Buffer.from(text);
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const sha = createHash('sha1').update(bytes).digest('hex');
  const folder = join(directory, 'objects', sha.slice(0, 2));
  const temporary = join(folder, `tmp_obj_${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  await writeFile(temporary, deflateSync(bytes), { mode: 0o444 });
  await rename(temporary, join(folder, sha.slice(2)));
  return sha;
}

export async function writeBlob(directory: string, content: string | Uint8Array): Promise<string> {
  return writeObject(directory, 'blob', content);
}

/** A tree made of another one and changes to it, through an index of its own. */
export async function writeTree(
  directory: string,
  base: string | undefined,
  changes: readonly TreeChange[],
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'regrow-fake-index-'));
  const index = { GIT_INDEX_FILE: join(folder, 'index') };
  try {
    if (base !== undefined) await git(directory, ['read-tree', base], undefined, index);
    const subtrees = changes.filter((change) => change.mode === '040000' && change.sha !== undefined);
    for (const { path, sha } of subtrees) {
      await git(directory, ['read-tree', `--prefix=${path}/`, sha ?? ''], undefined, index);
    }
    const lines = changes
      .filter((change) => !subtrees.includes(change))
      .map(({ path, mode, sha }) =>
        sha === undefined ? `0 ${'0'.repeat(40)}\t${path}\0` : `${mode} ${sha}\t${path}\0`,
      );
    await git(directory, ['update-index', '-z', '--index-info'], lines.join(''), index);
    return (await git(directory, ['write-tree'], undefined, index)).trim();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function personLine({ name, email, time }: Person): string {
  return `${name} <${email}> ${time} +0000`;
}

function parsePerson(line: string): Person {
  const found = /^(?<name>.*?) ?<(?<email>[^>]*)> (?<time>\d+) [+-]\d{4}$/.exec(line)?.groups;
  return { name: found?.['name'] ?? '', email: found?.['email'] ?? '', time: Number(found?.['time'] ?? 0) };
}

/** Writes the commit object itself: GitHub keeps a message exactly, while `git commit` tidies it up. */
export async function writeCommit(directory: string, commit: Omit<CommitObject, 'sha'>): Promise<string> {
  const text = [
    `tree ${commit.tree}`,
    ...commit.parents.map((parent) => `parent ${parent}`),
    `author ${personLine(commit.author)}`,
    `committer ${personLine(commit.committer)}`,
    '',
    commit.message,
  ].join('\n');
  return writeObject(directory, 'commit', text);
}

export async function writeTag(directory: string, tag: Omit<TagObject, 'sha'>): Promise<string> {
  const text = `object ${tag.object}\ntype ${tag.type}\ntag ${tag.tag}\ntagger ${personLine(tag.tagger)}\n\n${tag.message}\n`;
  return writeObject(directory, 'tag', text);
}

/** Head lines and message of a commit or tag object; undefined when there is no such object of this type. */
async function readHeaded(
  directory: string,
  type: 'commit' | 'tag',
  sha: string,
): Promise<{ lines: (name: string) => string[]; message: string } | undefined> {
  if (!/^[0-9a-f]{40}$/.test(sha)) return undefined;
  // `cat-file commit` would follow a tag to its commit; `--batch` says what the object itself is.
  const answer = await git(directory, ['cat-file', '--batch'], `${sha}\n`);
  const line = answer.indexOf('\n');
  if (answer.slice(0, line).split(' ')[1] !== type) return undefined;
  const text = answer.slice(line + 1, -1);
  const end = text.indexOf('\n\n');
  const head = text.slice(0, end).split('\n');
  return {
    lines: (name) => head.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1)),
    message: text.slice(end + 2),
  };
}

export async function readCommit(directory: string, sha: string): Promise<CommitObject | undefined> {
  const found = await readHeaded(directory, 'commit', sha);
  if (found === undefined) return undefined;
  return {
    sha,
    tree: found.lines('tree')[0] ?? '',
    parents: found.lines('parent'),
    author: parsePerson(found.lines('author')[0] ?? ''),
    committer: parsePerson(found.lines('committer')[0] ?? ''),
    message: found.message,
  };
}

export async function readTag(directory: string, sha: string): Promise<TagObject | undefined> {
  const found = await readHeaded(directory, 'tag', sha);
  if (found === undefined) return undefined;
  return {
    sha,
    object: found.lines('object')[0] ?? '',
    type: found.lines('type')[0] ?? 'commit',
    tag: found.lines('tag')[0] ?? '',
    tagger: parsePerson(found.lines('tagger')[0] ?? ''),
    message: found.message.trimEnd(),
  };
}

export async function objectType(directory: string, sha: string): Promise<string | undefined> {
  const run = await tryGit(directory, ['cat-file', '-t', sha]);
  return run.code === 0 ? run.stdout.toString().trim() : undefined;
}

export async function listTree(directory: string, tree: string, recursive: boolean): Promise<readonly TreeLine[]> {
  const text = await git(directory, ['ls-tree', '-z', '-l', ...(recursive ? ['-r', '-t'] : []), tree]);
  return text
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [meta = '', path = ''] = line.split('\t');
      const [mode = '', type = '', sha = '', size = '-'] = meta.split(/ +/);
      return { path, mode, type, sha, ...(size === '-' ? {} : { size: Number(size) }) };
    });
}
