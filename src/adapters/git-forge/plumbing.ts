import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegrowError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Exec } from '../../ports/exec.ts';

export interface GitForgeOptions {
  readonly exec: Exec;
  readonly clock: Clock;
  /** Absolute path of a bare repository. */
  readonly repository: string;
  readonly mainBranch: string;
  /** Who the commits are by. */
  readonly identity?: { readonly name: string; readonly email: string };
}

/** One ref of a transaction. `from`: what it must be now, undefined for absent, `any` for whatever. `to`: undefined deletes. */
export interface RefChange {
  readonly ref: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** The git calls that the forge is made of. Object ids are full hashes. */
export interface Plumbing {
  run(args: readonly string[], input?: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** The output, or undefined when the program says no (exit 1). */
  ask(args: readonly string[]): Promise<string | undefined>;
  resolve(ref: string): Promise<string | undefined>;
  mainHead(): Promise<string>;
  isAncestor(ancestor: string, commit: string): Promise<boolean>;
  readCommit(commit: string): Promise<{ readonly message: string; readonly tree: string }>;
  writeBlob(text: string): Promise<string>;
  /** A tree made from another by putting files in. */
  writeTree(from: string, files: readonly { readonly path: string; readonly text: string }[]): Promise<string>;
  writeCommit(tree: string, parents: readonly string[], message: string): Promise<string>;
  /** All or none; false when a ref was not what it must be. */
  moveRefs(changes: readonly RefChange[]): Promise<boolean>;
}

const nothing = '0'.repeat(40);
const timeout = 120_000;
const limit = 256 * 1024 * 1024;

export function createPlumbing(options: GitForgeOptions): Plumbing {
  const { exec, clock, repository, mainBranch } = options;
  const identity = options.identity ?? { name: 'regrow', email: 'regrow@localhost' };

  async function call(args: readonly string[], input: string | undefined, env: Readonly<Record<string, string>>) {
    const date = `@${Math.floor(clock.now().getTime() / 1000)} +0000`;
    const result = await exec.run({
      argv: ['git', `--git-dir=${repository}`, ...args],
      // Nothing of the user's own configuration may change what is written.
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        LC_ALL: 'C',
        HOME: '/nonexistent',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_TERMINAL_PROMPT: '0',
        GIT_AUTHOR_NAME: identity.name,
        GIT_AUTHOR_EMAIL: identity.email,
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_NAME: identity.name,
        GIT_COMMITTER_EMAIL: identity.email,
        GIT_COMMITTER_DATE: date,
        ...env,
      },
      timeout,
      limit,
      ...(input === undefined ? {} : { input }),
    });
    return { ...result, text: new TextDecoder().decode(result.stdout) };
  }

  async function run(args: readonly string[], input?: string, env: Readonly<Record<string, string>> = {}) {
    const { exitCode, text, stderr } = await call(args, input, env);
    if (exitCode !== 0) throw failed(repository, args, stderr);
    return text;
  }

  async function ask(args: readonly string[]): Promise<string | undefined> {
    const { exitCode, text, stderr } = await call(args, undefined, {});
    if (exitCode > 1) throw failed(repository, args, stderr);
    return exitCode === 0 ? text : undefined;
  }

  async function resolve(ref: string): Promise<string | undefined> {
    return (await ask(['rev-parse', '--verify', '--quiet', ref]))?.trim();
  }

  return {
    run,
    ask,
    resolve,

    async mainHead() {
      const head = await resolve(`refs/heads/${mainBranch}`);
      if (head !== undefined) return head;
      throw new RegrowError('forge.refused', `${repository} has no branch ${mainBranch}`, {
        remedy: 'name the main branch in forge.mainBranch of the configuration, or push it',
      });
    },

    async isAncestor(ancestor, commit) {
      return (await ask(['merge-base', '--is-ancestor', ancestor, commit])) !== undefined;
    },

    async readCommit(commit) {
      const text = await run(['cat-file', 'commit', commit]);
      const end = text.indexOf('\n\n');
      return { tree: /^tree ([0-9a-f]+)$/m.exec(text)?.[1] ?? '', message: text.slice(end + 2) };
    },

    async writeBlob(text) {
      return (await run(['hash-object', '-w', '--stdin'], text)).trim();
    },

    async writeTree(from, files) {
      const entries: string[] = [];
      for (const { path, text } of files) {
        const blob = (await run(['hash-object', '-w', '--stdin'], text)).trim();
        entries.push(`100644 ${blob}\t${path}\0`);
      }
      // An index of its own: a bare repository has none, and two writers must not share one.
      const directory = await mkdtemp(join(tmpdir(), 'regrow-index-'));
      try {
        const env = { GIT_INDEX_FILE: join(directory, 'index') };
        await run(['read-tree', from], undefined, env);
        await run(['update-index', '-z', '--index-info'], entries.join(''), env);
        return (await run(['write-tree'], undefined, env)).trim();
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },

    async writeCommit(tree, parents, message) {
      const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-'];
      return (await run(args, message)).trim();
    },

    async moveRefs(changes) {
      const lines = changes.map(({ ref, from, to }) => {
        const old = from === 'any' ? '' : (from ?? nothing);
        return `${to === undefined ? `delete ${ref}` : `update ${ref} ${to}`} ${old}`.trimEnd();
      });
      const input = ['start', ...lines, 'prepare', 'commit', ''].join('\n');
      const { exitCode, stderr } = await call(['update-ref', '--stdin'], input, {});
      if (exitCode === 0) return true;
      // The one way to tell a lost race from a broken repository: whether the old values still hold.
      for (const { ref, from } of changes) {
        if (from !== 'any' && (await resolve(ref)) !== from) return false;
      }
      throw failed(repository, ['update-ref'], stderr);
    },
  };
}

function failed(repository: string, args: readonly string[], stderr: string): RegrowError {
  return new RegrowError(
    'forge.refused',
    `git ${args[0] ?? ''} in ${repository} failed: ${stderr.trim().slice(0, 500)}`,
    {
      retry: 'later',
      remedy: 'check that the path is a bare git repository that this user may write to (git fsck)',
    },
  );
}
