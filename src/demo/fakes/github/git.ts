import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { RegrowError } from '../../../errors.ts';

/** Nothing of the machine's own git configuration reaches the fake, so that two machines make the same objects. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  TZ: 'UTC',
} as const;

export interface GitRun {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

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

/** Runs git in a bare repository; any exit code is an answer. */
export async function tryGit(
  directory: string,
  args: readonly string[],
  input?: string | Uint8Array,
  extra: Readonly<Record<string, string>> = {},
): Promise<GitRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['--git-dir', directory, ...args], {
      env: { ...environment, ...extra },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const problems: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => problems.push(chunk));
    child.on('error', (cause) =>
      reject(new RegrowError('tool.missing', `git cannot be run: ${cause.message}`, { cause, remedy: 'install git' })),
    );
    child.on('close', (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr: Buffer.concat(problems).toString() }),
    );
    // A git that ends before it has read its input closes the pipe; its exit code already says what was wrong.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
}

/** Runs git and gives its output; a failure is `internal`, with what git said. */
export async function git(
  directory: string,
  args: readonly string[],
  input?: string | Uint8Array,
  extra: Readonly<Record<string, string>> = {},
): Promise<string> {
  const run = await tryGit(directory, args, input, extra);
  if (run.code !== 0) {
    throw new RegrowError('internal', `git ${args.join(' ')} in ${directory} failed: ${run.stderr.trim()}`);
  }
  return run.stdout.toString();
}

/** A new bare repository with the settings that GitHub has: any object may be asked for by its id. */
export async function initRepository(directory: string, defaultBranch: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await git(directory, ['init', '--quiet', '--bare', `--initial-branch=${defaultBranch}`, directory]);
  const settings = '[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n[gc]\n\tauto = 0\n';
  await appendFile(join(directory, 'config'), settings);
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

/** What a revision expression (`refs/heads/main`, `v1.0^{commit}`) is; undefined when it is nothing. */
export async function revision(directory: string, expression: string): Promise<string | undefined> {
  const run = await tryGit(directory, ['rev-parse', '--verify', '--quiet', '--end-of-options', expression]);
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

export async function listRefs(
  directory: string,
  prefix: string,
): Promise<readonly { readonly name: string; readonly sha: string; readonly type: string; readonly commit: string }[]> {
  const text = await git(directory, [
    'for-each-ref',
    '--format=%(refname)%09%(objectname)%09%(objecttype)%09%(*objectname)',
  ]);
  return text
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => {
      const [name = '', sha = '', type = '', peeled = ''] = line.split('\t');
      return { name, sha, type, commit: peeled === '' ? sha : peeled };
    });
}

/** Moves a ref only from where it is said to be; the empty string means: it must not exist. */
export async function updateRef(directory: string, ref: string, to: string, from: string): Promise<boolean> {
  return (await tryGit(directory, ['update-ref', ref, to, from === '' ? '0'.repeat(40) : from])).code === 0;
}

export async function isAncestor(directory: string, ancestor: string, commit: string): Promise<boolean> {
  return (await tryGit(directory, ['merge-base', '--is-ancestor', ancestor, commit])).code === 0;
}

/** The tree of a merge, or undefined where it conflicts. */
export async function mergeTree(directory: string, ours: string, theirs: string): Promise<string | undefined> {
  const run = await tryGit(directory, ['merge-tree', '--write-tree', '--no-messages', ours, theirs]);
  return run.code === 0 ? run.stdout.toString().trim().split('\n')[0] : undefined;
}
