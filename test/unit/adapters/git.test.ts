import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createGit, parseRefs } from '../../../src/adapters/git.ts';
import { createGitCommand } from '../../../src/adapters/git-command.ts';
import { guardedGit } from '../../../src/adapters/git-guard.ts';
import { parseBatch } from '../../../src/adapters/git-objects.ts';
import { createDispatcher } from '../../../src/adapters/network/dispatcher.ts';
import { createNetworkGuard } from '../../../src/adapters/network/guard.ts';
import { createRecipeRepository } from '../../../src/adapters/recipe-repository.ts';

const exec = createExec();
let directory: string;
let upstream: string;
let first = '';
let second = '';

function git(...args: string[]): string {
  return execFileSync('git', ['-C', upstream, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', GIT_COMMITTER_DATE: '1700000000 +0000', GIT_AUTHOR_DATE: '1700000000 +0000' },
  }).trim();
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-git-'));
  upstream = join(directory, 'upstream');
  execFileSync('git', ['init', '-q', '-b', 'main', upstream]);
  writeFileSync(join(upstream, 'jq.yaml'), 'one\n');
  git('add', '.');
  git('commit', '-qm', 'one');
  first = git('rev-parse', 'HEAD');
  git('tag', '-am', 'annotated', 'v1');
  writeFileSync(join(upstream, 'jq.yaml'), 'two\n');
  writeFileSync(join(upstream, 'ä.yaml'), Buffer.from([0, 1, 10, 255]));
  git('add', '.');
  git('commit', '-qm', 'two');
  second = git('rev-parse', 'HEAD');
  git('tag', 'v2');
  git('branch', 'regrow/jq', first);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const address = 'https://git.example.org/jq';
const options = () => ({
  exec,
  protocols: ['file'],
  rewrite: [{ from: address, to: `file://${upstream}` }],
});

describe('git', () => {
  test('lists heads and tags, annotated tags by the commit that they peel to and their own id', async () => {
    const refs = await createGit(options()).lsRemote(address);
    expect(refs).toEqual([
      { name: 'refs/heads/main', commit: second },
      { name: 'refs/heads/regrow/jq', commit: first },
      { name: 'refs/tags/v1', commit: first, object: git('rev-parse', 'v1') },
      { name: 'refs/tags/v2', commit: second },
    ]);
    expect(parseRefs('junk\n\nabc\trefs/tags/x\n')).toEqual([]);
  });

  test.each([
    ['an annotated tag', { tag: 'v1' }, 'one\n'],
    ['a tag with its commit', { tag: 'v2', commit: 'unused' }, 'two\n'],
    ['a branch', { branch: 'main' }, 'two\n'],
    ['the default branch', {}, 'two\n'],
    ['a commit behind a branch', { branch: 'main', commit: 'first' }, 'one\n'],
    ['a commit alone', { commit: 'first' }, 'one\n'],
  ])('checks out %s', async (name, what: { tag?: string; branch?: string; commit?: string }, content) => {
    const into = join(directory, name.replaceAll(' ', '-'));
    const commit = what.commit === 'first' ? { commit: first } : {};
    const head = await createGit(options()).checkout({ repository: address, into, ...what, ...commit });
    expect(readFileSync(join(into, 'jq.yaml'), 'utf8')).toBe(content);
    expect(head).toEqual({ commit: content === 'one\n' ? first : second, time: 1_700_000_000 });
  });

  test.each([
    ['a server that sends only what is asked for', 'true'],
    ['a server that sends everything', 'false'],
  ])('reads files of a commit without a work tree, of %s', async (_, filter) => {
    git('config', 'uploadpack.allowFilter', filter);
    git('config', 'uploadpack.allowAnySHA1InWant', filter);
    const read = (what: { commit: string; tag?: string; branch?: string }, limit = 1000) =>
      createGit(options()).files({
        repository: address,
        ...what,
        paths: ['jq.yaml', 'ä.yaml', 'no.yaml', 'in/go.mod'],
        limit,
      });
    expect([...(await read({ commit: first, tag: 'v1' }))]).toEqual([['jq.yaml', Buffer.from('one\n')]]);
    const now = await read({ commit: second, branch: 'main' });
    expect([...now.keys()]).toEqual(['jq.yaml', 'ä.yaml']);
    expect(now.get('ä.yaml')).toEqual(Buffer.from([0, 1, 10, 255]));
    expect([...(await read({ commit: first, branch: 'main' })).values()]).toEqual([Buffer.from('one\n')]);
    // What is larger than it may be is left out.
    expect(await read({ commit: second }, 3)).toEqual(new Map());
    await expect(read({ commit: first, tag: 'v2' })).rejects.toMatchObject({ code: 'upstream.not-found' });
  });

  test('a tag, a branch or a commit that is not there is not found; a repository that is not there is unreachable', async () => {
    const into = join(directory, 'none');
    const adapter = createGit(options());
    const notFound = { code: 'upstream.not-found' };
    await expect(adapter.checkout({ repository: address, into, tag: 'v3' })).rejects.toMatchObject(notFound);
    await expect(adapter.checkout({ repository: address, into, branch: 'none' })).rejects.toMatchObject(notFound);
    await expect(adapter.checkout({ repository: address, into, commit: 'f'.repeat(40) })).rejects.toMatchObject(
      notFound,
    );
    await expect(adapter.lsRemote(`${address}-none`)).rejects.toMatchObject({
      code: 'upstream.unreachable',
      retry: 'later',
      message: expect.stringMatching(/git\.example\.org\/jq-none failed: '.+' does not appear to be a git repository$/),
    });
  });

  test('neither options nor other transports get through', async () => {
    const adapter = createGit({ exec });
    const touched = join(directory, 'touched');
    await expect(adapter.lsRemote(`--upload-pack=touch ${touched}`)).rejects.toMatchObject({
      code: 'upstream.not-found',
    });
    await expect(adapter.lsRemote(`ext::touch ${touched}`)).rejects.toMatchObject({ code: 'upstream.not-found' });
    await expect(adapter.lsRemote(`ext::touch%20${touched}`)).rejects.toMatchObject({ code: 'upstream.unreachable' });
    await expect(adapter.lsRemote(`file://${upstream}`)).rejects.toMatchObject({ code: 'upstream.unreachable' });
    expect(existsSync(touched)).toBe(false);
  });
});

describe('the network of git', () => {
  test('may be its own protocol, as recipes have it', async () => {
    const line = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
    const server = createSocketServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write(`${line(`${'1'.repeat(40)} HEAD\0agent=git/2\n`)}${line(`${'2'.repeat(40)} refs/tags/v1\n`)}0000`);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      const { port } = server.address() as AddressInfo;
      const adapter = createGit({ exec, allowPrivate: ['127.0.0.1'] });
      const refs = await adapter.lsRemote(`git://127.0.0.1:${port}/jq`);
      expect(refs).toEqual([{ name: 'refs/tags/v1', commit: '2'.repeat(40) }]);
    } finally {
      server.close();
    }
  });

  test('no private address is asked but for those that it is told of', async () => {
    const refused = { code: 'upstream.address-refused' };
    const adapter = createGit({ exec });
    for (const host of ['127.0.0.1', '169.254.169.254', '[::1]', '0x7f.1', 'localhost:8080']) {
      await expect(adapter.lsRemote(`http://${host}/x`), host).rejects.toMatchObject(refused);
    }
    const into = join(directory, 'inside');
    await expect(adapter.checkout({ repository: 'https://10.0.0.1/x', into, tag: 'v1' })).rejects.toMatchObject(
      refused,
    );
    expect(existsSync(into)).toBe(false);
  });

  test('a redirect is followed where it may go: to the repository at its new address, to no private one and to no page', async () => {
    execFileSync('git', ['-C', upstream, 'update-server-info']);
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://x');
      asked.push(url.pathname);
      const to = { old: '/new/.git', inward: 'http://169.254.169.254/x', page: '/about' }[
        url.pathname.split('/')[1] ?? ''
      ];
      if (to === '/about') return response.writeHead(302, { location: to }).end();
      if (to !== undefined) return response.writeHead(301, { location: request.url?.replace(/^\/\w+/, to) }).end();
      const path = join(upstream, url.pathname.replace('/new/', ''));
      return url.pathname.startsWith('/new/') && existsSync(path)
        ? response.end(readFileSync(path))
        : response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    try {
      const base = `http://127.0.0.1:${port}`;
      const adapter = createGit({ exec, allowPrivate: ['127.0.0.1'] });
      const refs = await adapter.lsRemote(`${base}/old`);
      expect(refs.map(({ name }) => name)).toContain('refs/tags/v2');
      await expect(adapter.lsRemote(`${base}/inward`)).rejects.toMatchObject({ code: 'upstream.address-refused' });
      const into = join(directory, 'redirected');
      await expect(adapter.checkout({ repository: `${base}/inward`, into, tag: 'v2' })).rejects.toMatchObject({
        code: 'upstream.address-refused',
      });
      await expect(adapter.lsRemote(`${base}/page`)).rejects.toMatchObject({ code: 'upstream.redirect-refused' });
      expect(asked).toContain('/new/.git/info/refs');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('git connects to the address that was checked, whatever the name is at when git asks', async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.headers.host);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    try {
      const guard = createNetworkGuard(['127.0.0.0/8'], async () => [{ address: '127.0.0.1', family: 4 }]);
      const repository = `http://nowhere.example:${port}/x`;
      const network = { guard, dispatcher: createDispatcher(guard), rewrite: [] };
      const command = await guardedGit(createGitCommand({ exec }), repository, network);
      expect((await command(['ls-remote', '--', repository])).exitCode).not.toBe(0);
      expect(asked).toEqual([`nowhere.example:${port}`]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe('repository of recipes', () => {
  test('mirrors, then reads by commit; a refresh brings what is new and forgets what is gone', async () => {
    const recipes = createRecipeRepository({
      ...options(),
      repository: address,
      directory: join(directory, 'mirror'),
      mainBranch: 'main',
    });
    await recipes.refresh();
    expect(await recipes.head()).toEqual({ commit: second, time: 1_700_000_000 });
    expect(await recipes.branches('regrow/')).toEqual([{ name: 'refs/heads/regrow/jq', commit: first }]);
    const files = await recipes.files(second);
    expect(files.map((file) => file.path)).toEqual(['jq.yaml', 'ä.yaml']);
    const contents = await recipes.read(files.map((file) => file.blob));
    expect(files.map((file) => [...(contents.get(file.blob) ?? [])])).toEqual([
      [...Buffer.from('two\n')],
      [0, 1, 10, 255],
    ]);
    expect(await recipes.contains(second, first)).toBe(true);
    expect(await recipes.contains(first, second)).toBe(false);
    expect(await recipes.commit(first)).toEqual({ commit: first, time: 1_700_000_000 });
    const at = '2023-11-14T22:13:20.000Z';
    expect(await recipes.lastChange(second, 'jq.yaml')).toEqual({ commit: second, at, author: 't' });
    expect(await recipes.lastChange(first, 'jq.yaml')).toEqual({ commit: first, at, author: 't' });
    expect(await recipes.lastChange(first, 'ä.yaml')).toBeUndefined();

    git('branch', '-D', 'regrow/jq');
    git('commit', '-q', '--allow-empty', '-m', 'three');
    await recipes.refresh();
    expect((await recipes.head()).commit).toBe(git('rev-parse', 'HEAD'));
    expect(await recipes.branches('regrow/')).toEqual([]);
  });

  test('a main branch that is not there is named', async () => {
    const recipes = createRecipeRepository({
      ...options(),
      repository: address,
      directory: join(directory, 'mirror2'),
      mainBranch: 'trunk',
    });
    await recipes.refresh();
    await expect(recipes.head()).rejects.toMatchObject({
      code: 'upstream.not-found',
      message: expect.stringContaining('trunk'),
    });
  });

  test('a blob that is missing is said', () => {
    expect(() => parseBatch(Buffer.from('abc missing\n'), ['abc'], 'r')).toThrow(/no blob abc/);
  });
});
