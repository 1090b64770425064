import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createGitForge } from '../../../src/adapters/git-forge/git-forge.ts';
import { type BareForge, createBareForge } from '../../support/bare-forge.ts';

const branch = 'regrow/jq';
const text = { title: 'jq/1.8.2 package update', body: 'Newer.', labels: ['regrow'] };
const always = '2000-01-01T00:00:00Z';

let world: BareForge;
let main: string;

beforeEach(async () => {
  world = await createBareForge();
  main = await world.push({ 'jq.yaml': 'version: 1\n' });
});
afterEach(() => world.close());

const write = (): Promise<string> =>
  world.forge.write({
    branch,
    parent: main,
    expectedHead: undefined,
    message: 'jq/1.8.2 package update',
    files: [{ path: 'jq.yaml', text: 'version: 2\n' }],
  });

/** The same repository, opened by another process. */
const another = () =>
  createGitForge({ exec: createExec(), clock: world.clock, repository: world.repository, mainBranch: 'main' });

describe('a bare repository as people use it', () => {
  it('takes a merge into main with git for a merge', async () => {
    const head = await write();
    const { number } = await world.forge.open(branch, text);
    await world.run('update-ref', 'refs/heads/main', head);
    const [proposal] = await world.forge.list('regrow/', always);
    expect(proposal).toMatchObject({ number, state: 'merged', head, closedAt: '2026-11-01T12:00:00.000Z' });
    expect(proposal?.closedBy).toBeUndefined();
  });

  it('takes a deleted branch for closed by hand, and the time stays that of the first look', async () => {
    await write();
    const { number } = await world.forge.open(branch, text);
    await world.run('update-ref', '-d', `refs/heads/${branch}`);
    expect(await world.forge.find(branch)).toBeUndefined();
    world.clock.advance(3_600_000);
    expect((await another().list('regrow/', always))[0]).toMatchObject({
      number,
      state: 'closed',
      closedAt: '2026-11-01T12:00:00.000Z',
      closedBy: 'someone (the branch was deleted)',
    });
  });

  it('fast-forwards main where nothing else came in, with the same commit', async () => {
    const head = await write();
    const { number } = await world.forge.open(branch, text);
    expect(await world.forge.merge(number, head)).toBe(head);
    expect(await world.run('log', '-1', '--format=%an %at', 'main')).toBe('regrow 1793534400\n');
  });

  it('is one and the same for two processes', async () => {
    await write();
    const [a, b] = await Promise.all([world.forge.open(branch, text), another().open(branch, text)]);
    expect(a.number).toBe(b.number);
    expect(await another().list('regrow/', always)).toHaveLength(1);
    const both = [world.forge.comment(a.number, 'a', 'from one'), another().comment(a.number, 'b', 'from two')];
    const lost = (await Promise.allSettled(both)).flatMap((end) =>
      end.status === 'rejected' ? [end.reason.code] : [],
    );
    // One of two writers at the very same time may lose; nothing is half-written.
    expect(lost.filter((code) => code !== 'forge.conflict')).toEqual([]);
    expect(await another().find(branch)).toMatchObject({ state: 'open', title: text.title });
  });

  it('makes the same commit from the same files at the same time', async () => {
    const first = await write();
    await world.run('update-ref', '-d', `refs/heads/${branch}`);
    expect(await write()).toBe(first);
  });

  it('reads text with several lines and other letters back', async () => {
    await write();
    const { number } = await world.forge.open(branch, { ...text, body: 'ä\n\n{"x": "\\n"}\n' });
    const second = await world.push({ 'x.yaml': '1\n' }, 'regrow/x');
    await world.forge.open('regrow/x', { ...text, title: 'ß' });
    const listed = await another().list('regrow/');
    expect(listed.map((proposal) => [proposal.number, proposal.title, proposal.body])).toEqual([
      [number, text.title, 'ä\n\n{"x": "\\n"}\n'],
      [number + 1, 'ß', 'Newer.'],
    ]);
    expect(listed[1]?.head).toBe(second);
  });
});

describe('a repository that is not as it should be', () => {
  it('has no main branch, or no such proposal', async () => {
    const forge = createGitForge({
      exec: createExec(),
      clock: world.clock,
      repository: world.repository,
      mainBranch: 'trunk',
    });
    await write();
    await forge.open(branch, text);
    await expect(forge.list('regrow/')).rejects.toMatchObject({ code: 'forge.refused' });
    await expect(world.forge.close(99, 'no')).rejects.toMatchObject({ code: 'forge.refused' });
  });

  it('is not a repository', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'regrow-none-'));
    try {
      const forge = createGitForge({
        exec: createExec(),
        clock: world.clock,
        repository: directory,
        mainBranch: 'main',
      });
      await expect(forge.list('regrow/')).rejects.toMatchObject({ code: 'forge.refused', retry: 'later' });
      await expect(forge.branch(branch)).rejects.toMatchObject({ code: 'forge.refused' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
