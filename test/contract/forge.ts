import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitStatus, Forge, ForgeProposal, ProposalText } from '../../src/ports/forge.ts';
import type { ManualClock } from '../fakes/manual-clock.ts';

/** A forge with what is needed to act on it as a person would, and to look at what people see. */
export interface ForgeWorld {
  readonly forge: Forge;
  readonly clock: ManualClock;
  /** Commits files on a branch (main by default) as someone else, and gives the commit. */
  push(files: Readonly<Record<string, string>>, branch?: string): Promise<string>;
  /** Content of a file at a branch or commit. */
  read(path: string, at: string): Promise<string | undefined>;
  head(branch: string): Promise<string | undefined>;
  contains(commit: string, ancestor: string): Promise<boolean>;
  closeByHand(proposal: ForgeProposal): Promise<void>;
  statuses(commit: string): Promise<readonly CommitStatus[]>;
  comments(number: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

const text: ProposalText = { title: 'jq/1.8.2 package update', body: 'It is newer.\n', labels: ['regrow'] };
const branch = 'regrow/jq';

/** What every adapter of the Forge port does. */
export function forgeContract(name: string, create: () => Promise<ForgeWorld>): void {
  describe(`${name} as a forge`, () => {
    let world: ForgeWorld;
    let main: string;

    beforeEach(async () => {
      world = await create();
      main = await world.push({
        'jq.yaml': 'version: 1\n',
        'oniguruma.yaml': 'version: 6\n',
        'jq/fix.patch': '--- a\n',
      });
    });
    afterEach(() => world.close());

    const write = (files: Readonly<Record<string, string>>, expectedHead?: string, parent = main) =>
      world.forge.write({
        branch,
        parent,
        expectedHead,
        message: 'jq/1.8.2 package update\n\nBecause.',
        files: Object.entries(files).map(([path, content]) => ({ path, text: content })),
      });

    it('writes a branch that has the new file and every other file of its parent', async () => {
      const commit = await write({ 'jq.yaml': 'version: 2\n', 'deep/er/new.yaml': 'ä\r\n' });
      expect(await world.head(branch)).toBe(commit);
      expect(await world.read('jq.yaml', branch)).toBe('version: 2\n');
      expect(await world.read('deep/er/new.yaml', branch)).toBe('ä\r\n');
      expect(await world.read('oniguruma.yaml', branch)).toBe('version: 6\n');
      expect(await world.read('jq/fix.patch', branch)).toBe('--- a\n');
      expect(await world.read('jq.yaml', 'main')).toBe('version: 1\n');
    });

    it('knows its own commits from those of others', async () => {
      expect(await world.forge.branch(branch)).toBeUndefined();
      const commit = await write({ 'jq.yaml': 'version: 2\n' });
      const tip = await world.forge.branch(branch);
      expect(tip).toMatchObject({ commit, ours: true });
      expect(tip?.message).toContain('jq/1.8.2 package update\n\nBecause.');
      await world.push({ 'jq.yaml': 'version: 3\n' }, branch);
      expect(await world.forge.branch(branch)).toMatchObject({ ours: false });
    });

    it('refuses to write where the branch is not what was expected, and leaves it', async () => {
      const first = await write({ 'jq.yaml': 'version: 2\n' });
      const theirs = await world.push({ 'jq.yaml': 'version: 3\n' }, branch);
      await expect(write({ 'jq.yaml': 'version: 4\n' }, first)).rejects.toMatchObject({ code: 'forge.conflict' });
      await expect(write({ 'jq.yaml': 'version: 4\n' })).rejects.toMatchObject({ code: 'forge.conflict' });
      expect(await world.head(branch)).toBe(theirs);
    });

    it('refuses to write on a branch that should be there and is not', async () => {
      await expect(write({ 'jq.yaml': 'version: 4\n' }, main)).rejects.toMatchObject({ code: 'forge.conflict' });
      expect(await world.head(branch)).toBeUndefined();
    });

    it('moves a branch only forward: a new start from main keeps what was there in its history', async () => {
      const first = await write({ 'jq.yaml': 'version: 2\n', 'oniguruma.yaml': 'version: 7\n' });
      const newer = await world.push({ 'other.yaml': 'version: 1\n' });
      const second = await write({ 'jq.yaml': 'version: 3\n' }, first, newer);
      expect(await world.contains(second, first)).toBe(true);
      expect(await world.contains(second, newer)).toBe(true);
      expect(await world.read('jq.yaml', branch)).toBe('version: 3\n');
      expect(await world.read('oniguruma.yaml', branch)).toBe('version: 6\n');
      expect(await world.read('other.yaml', branch)).toBe('version: 1\n');
    });

    it('opens one proposal per branch, however often it is asked', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      expect(await world.forge.find(branch)).toBeUndefined();
      const opened = await world.forge.open(branch, text);
      expect(opened).toMatchObject({ branch, title: text.title, labels: ['regrow'], state: 'open', head });
      expect(opened.body.trimEnd()).toBe('It is newer.');
      expect(opened.openedAt).toBe(`${world.clock.now().toISOString().slice(0, 19)}${opened.openedAt.slice(19)}`);
      const again = await world.forge.open(branch, { ...text, title: 'another' });
      expect(again.number).toBe(opened.number);
      expect(await world.forge.list('regrow/')).toHaveLength(1);
      expect(await world.forge.find('regrow/j')).toBeUndefined();
    });

    it('does not open a proposal for a branch that is not there', async () => {
      await expect(world.forge.open('regrow/none', text)).rejects.toMatchObject({ code: 'forge.refused' });
    });

    it('changes title, body and labels, each alone', async () => {
      await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      await world.forge.update(number, { title: 'jq/1.8.3 package update' });
      await world.forge.update(number, { labels: ['security'] });
      expect(await world.forge.find(branch)).toMatchObject({
        title: 'jq/1.8.3 package update',
        labels: ['regrow', 'security'],
      });
      await world.forge.update(number, { body: 'Other.' });
      expect((await world.forge.find(branch))?.body.trimEnd()).toBe('Other.');
    });

    it('shows the head that someone pushed', async () => {
      await write({ 'jq.yaml': 'version: 2\n' });
      await world.forge.open(branch, text);
      const theirs = await world.push({ 'jq.yaml': 'version: 3\n' }, branch);
      expect((await world.forge.find(branch))?.head).toBe(theirs);
    });

    it('keeps one status per context', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      const status = { context: 'regrow/jq/x86_64-gnu', state: 'pending', description: 'queued' } as const;
      await world.forge.setStatus(head, status);
      await world.forge.setStatus(head, status);
      await world.forge.setStatus(head, { context: 'regrow', state: 'pending', description: 'building' });
      await world.forge.setStatus(head, {
        ...status,
        state: 'success',
        description: 'built',
        url: 'https://regrow.example/1',
      });
      const shown = await world.statuses(head);
      const latest = new Map(shown.map((one) => [one.context, one]));
      expect(latest.get('regrow/jq/x86_64-gnu')).toEqual({
        context: 'regrow/jq/x86_64-gnu',
        state: 'success',
        description: 'built',
        url: 'https://regrow.example/1',
      });
      expect(latest.get('regrow')?.state).toBe('pending');
      expect(shown.filter((one) => one.state === 'pending')).toHaveLength(shown.length - 1);
    });

    it('replaces the comment of a key, and keeps others', async () => {
      await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      await world.forge.comment(number, 'build/jq', 'It failed.');
      await world.forge.comment(number, 'build/jq-dev', 'Another.');
      await world.forge.comment(number, 'build/jq', 'It failed again.');
      const comments = await world.comments(number);
      expect(comments).toHaveLength(2);
      expect(comments.join()).toContain('It failed again.');
      expect(comments.join()).not.toContain('It failed.');
    });

    it('merges what is on the branch, once', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      const merged = await world.forge.merge(number, head);
      expect(await world.head('main')).toBe(merged);
      expect(await world.contains(merged, head)).toBe(true);
      expect(await world.read('jq.yaml', 'main')).toBe('version: 2\n');
      expect(await world.forge.find(branch)).toBeUndefined();
      expect(await world.head(branch)).toBeUndefined();
      expect(await world.contains(await world.forge.merge(number, head), head)).toBe(true);
      expect(await world.head('main')).toBe(merged);
      const [listed] = await world.forge.list('regrow/', '2000-01-01T00:00:00Z');
      expect(listed).toMatchObject({ number, state: 'merged', head });
      expect(listed?.closedBy).toBeUndefined();
    });

    it('merges into a main that moved meanwhile', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      const newer = await world.push({ 'other.yaml': 'version: 1\n' });
      const merged = await world.forge.merge(number, head);
      expect(await world.contains(merged, newer)).toBe(true);
      expect(await world.read('jq.yaml', 'main')).toBe('version: 2\n');
      expect(await world.read('other.yaml', 'main')).toBe('version: 1\n');
    });

    it('does not merge another head, nor lines that both changed', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      const theirs = await world.push({ 'oniguruma.yaml': 'version: 9\n' }, branch);
      await expect(world.forge.merge(number, head)).rejects.toMatchObject({ code: 'forge.conflict' });
      const newer = await world.push({ 'jq.yaml': 'version: 5\n' });
      await expect(world.forge.merge(number, theirs)).rejects.toMatchObject({ code: 'forge.conflict' });
      expect(await world.head('main')).toBe(newer);
      expect((await world.forge.find(branch))?.state).toBe('open');
    });

    it('says who closed a proposal, unless it was itself', async () => {
      await write({ 'jq.yaml': 'version: 2\n' });
      const first = await world.forge.open(branch, text);
      await world.forge.close(first.number, 'A newer one is out.');
      await world.forge.close(first.number, 'A newer one is out.');
      expect((await world.comments(first.number)).join()).toContain('A newer one is out.');
      const second = await world.forge.open(branch, text);
      expect(second.number).not.toBe(first.number);
      world.clock.advance(60_000);
      await world.closeByHand(second);
      const listed = await world.forge.list('regrow/', '2000-01-01T00:00:00Z');
      const byNumber = new Map(listed.map((proposal) => [proposal.number, proposal]));
      expect(byNumber.get(first.number)?.state).toBe('closed');
      expect(byNumber.get(first.number)?.closedBy).toBeUndefined();
      expect(byNumber.get(second.number)).toMatchObject({ state: 'closed' });
      expect(byNumber.get(second.number)?.closedBy).toMatch(/some/);
    });

    it('lists open ones, and closed ones only since a time', async () => {
      await write({ 'jq.yaml': 'version: 2\n' });
      const old = await world.forge.open(branch, text);
      await world.forge.close(old.number, 'Old.');
      world.clock.advance(3_600_000);
      const since = world.clock.now().toISOString();
      await world.push({ 'x.yaml': '1\n' }, 'feature/x');
      await world.forge.open('feature/x', { ...text, title: 'Not ours' });
      const open = await world.forge.open(branch, text);
      expect((await world.forge.list('regrow/')).map(({ number }) => number)).toEqual([open.number]);
      expect((await world.forge.list('regrow/', since)).map(({ number }) => number)).toEqual([open.number]);
      expect(await world.forge.list('regrow/', '2000-01-01T00:00:00Z')).toHaveLength(2);
    });

    it('leaves what is merged as it is when it is closed', async () => {
      const head = await write({ 'jq.yaml': 'version: 2\n' });
      const { number } = await world.forge.open(branch, text);
      await world.forge.merge(number, head);
      await world.forge.close(number, 'Too late.');
      const [listed] = await world.forge.list('regrow/', '2000-01-01T00:00:00Z');
      expect(listed?.state).toBe('merged');
    });
  });
}
