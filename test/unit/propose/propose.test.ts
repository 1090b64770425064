import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { Forge } from '../../../src/ports/forge.ts';
import { buildsIn } from '../../../src/propose/body.ts';
import { extendProposal } from '../../../src/propose/extend.ts';
import { readProposals } from '../../../src/propose/proposals.ts';
import { propose, type Update } from '../../../src/propose/propose.ts';
import { type BuildReport, reportBuilds, reportProposal } from '../../../src/propose/report-build.ts';
import { type BareForge, createBareForge } from '../../support/bare-forge.ts';

let world: BareForge;
let base: string;

beforeEach(async () => {
  world = await createBareForge();
  base = await world.push({
    'libtally.yaml': 'version: "1.0"\n',
    'count.yaml': 'epoch: 0\n',
    'greet.yaml': 'epoch: 0\n',
  });
});
afterEach(() => world.close());

const update = (version = '2.0.0', more: Partial<Update> = {}): Update => ({
  package: 'libtally',
  version: `${version}-r0`,
  base,
  files: [{ path: 'libtally.yaml', text: `version: "${version}"\n` }],
  changes: [{ package: 'libtally', path: 'libtally.yaml', from: '1.0-r0', to: `${version}-r0`, why: 'newer' }],
  because: `upstream released ${version}`,
  urgency: 'normal',
  fixes: [],
  evidence: [{ fact: 'upstream has tag v2', source: 'https://example.org/v2', at: '2026-11-01T00:00:00Z' }],
  ...more,
});

const dependents = {
  files: [
    { path: 'count.yaml', text: 'epoch: 1\n' },
    { path: 'greet.yaml', text: 'epoch: 1\n' },
  ],
  changes: ['count', 'greet'].map((name) => ({
    package: name,
    path: `${name}.yaml`,
    from: '1-r0',
    to: '1-r1',
    why: 'libtally.so.1 is gone',
  })),
  because: 'libtally.so.1 is gone',
};

/** The forge, but its writing call number `fatal` throws, before or after it has its effect: the process was killed there. */
function dying(forge: Forge, fatal: number, when: 'before' | 'after'): { readonly forge: Forge; died(): boolean } {
  let calls = 0;
  let died = false;
  const wrap =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      calls += 1;
      if (calls !== fatal) return call(...args);
      died = true;
      if (when === 'after') await call(...args);
      throw new RegrowError('aborted', 'killed');
    };
  return {
    forge: { ...forge, write: wrap(forge.write), open: wrap(forge.open), update: wrap(forge.update) },
    died: () => died,
  };
}

describe('propose', () => {
  it('makes the branch and one pull request that reads back', async () => {
    const proposal = await propose(world, update());
    expect(proposal).toMatchObject({
      package: 'libtally',
      version: '2.0.0-r0',
      branch: 'regrow/libtally',
      title: 'libtally/2.0.0 package update',
      state: 'open',
      base,
      labels: ['regrow', 'package-update'],
      head: await world.head('regrow/libtally'),
    });
    expect(await world.read('libtally.yaml', 'regrow/libtally')).toBe('version: "2.0.0"\n');
    expect(await readProposals(world.forge)).toEqual([proposal]);
  });

  it('changes nothing when it is run again', async () => {
    const first = await propose(world, update());
    const refs = await world.run('for-each-ref');
    world.clock.advance(3_600_000);
    expect(await propose(world, update())).toEqual(first);
    expect(await world.run('for-each-ref')).toBe(refs);
  });

  it('takes over the branch and the pull request for a newer version, and says that it is urgent', async () => {
    const first = await propose(world, update('2.0.0'));
    const second = await propose(world, update('2.1.0', { urgency: 'security', fixes: ['GO-2026-1'] }));
    expect(second.number).toBe(first.number);
    expect(second).toMatchObject({ title: 'libtally/2.1.0 package update', fixes: ['GO-2026-1'] });
    expect(second.labels).toContain('security');
    expect(await readProposals(world.forge)).toEqual([second]);
    expect(await world.read('libtally.yaml', 'regrow/libtally')).toBe('version: "2.1.0"\n');
  });

  it('stands on the newer main when the recipe changed there', async () => {
    await propose(world, update());
    const newer = await world.push({ 'libtally.yaml': 'version: "1.0"\nnote: 1\n' });
    const files = [{ path: 'libtally.yaml', text: 'version: "2.0.0"\nnote: 1\n' }];
    const proposal = await propose(world, update('2.0.0', { base: newer, files }));
    expect(proposal.base).toBe(newer);
    const merged = await world.forge.merge(proposal.number, proposal.head);
    expect(await world.read('libtally.yaml', merged)).toBe('version: "2.0.0"\nnote: 1\n');
  });

  it('is made afresh on the newer main, also where its own recipe says the same, and only once', async () => {
    const first = await extendProposal(world, await propose(world, update()), dependents);
    const newer = await world.push({ 'count.yaml': 'epoch: 7\n' });
    expect(await propose(world, update('2.0.0', { base: newer }))).toEqual(first);
    const again = await propose(world, update('2.0.0', { base: newer, afresh: true }));
    expect(again).toMatchObject({ number: first.number, base: newer });
    expect(again.changes).toHaveLength(1);
    expect(await world.read('count.yaml', again.head)).toBe('epoch: 7\n');
    expect(await world.contains(again.head, newer)).toBe(true);
    expect(await propose(world, update('2.0.0', { base: newer, afresh: true }))).toEqual(again);
  });

  for (const when of ['before', 'after'] as const) {
    it(`is made afresh the same when it is killed ${when} its commit`, async () => {
      const first = await extendProposal(world, await propose(world, update()), dependents);
      const newer = await world.push({ 'count.yaml': 'epoch: 7\n' });
      const { forge } = dying(world.forge, 1, when);
      const afresh = update('2.0.0', { base: newer, afresh: true });
      await expect(propose({ forge }, afresh)).rejects.toMatchObject({ code: 'aborted' });
      const again = await propose(world, afresh);
      expect(again).toMatchObject({ number: first.number, base: newer });
      expect(await world.run('rev-list', '--first-parent', '--count', `${first.head}..${again.head}`)).toBe('1\n');
    });
  }

  it("never overwrites someone else's commit", async () => {
    const { number } = await propose(world, update());
    const theirs = await world.push({ 'libtally.yaml': 'version: "2.0.0"\nfix: true\n' }, 'regrow/libtally');
    await expect(propose(world, update('2.1.0'))).rejects.toMatchObject({ code: 'forge.conflict', retry: 'never' });
    await expect(propose(world, update('2.0.0'))).rejects.toMatchObject({ code: 'forge.conflict' });
    expect(await world.head('regrow/libtally')).toBe(theirs);
    expect((await world.forge.find('regrow/libtally'))?.number).toBe(number);
    // Once main has that commit, the branch is what the merge left behind.
    const merged = { ...world, isMerged: async () => true };
    expect(await propose(merged, update('2.1.0'))).toMatchObject({ version: '2.1.0-r0', state: 'open' });
  });

  it('opens a new pull request on a branch that an earlier one left', async () => {
    const first = await propose(world, update());
    await world.forge.close(first.number, 'superseded');
    const second = await propose(world, update('2.1.0'));
    expect(second.number).not.toBe(first.number);
    expect(await world.read('libtally.yaml', 'regrow/libtally')).toBe('version: "2.1.0"\n');
  });

  it('mends a body that someone rewrote', async () => {
    const { number } = await propose(world, update());
    await world.forge.update(number, { body: 'I like it.' });
    const [read] = await readProposals(world.forge);
    expect(read).toMatchObject({ package: 'libtally', version: '2.0.0-r0', changes: [] });
    const mended = await propose(world, update());
    expect(mended.number).toBe(number);
    expect(await readProposals(world.forge)).toEqual([mended]);
  });

  for (const when of ['before', 'after'] as const) {
    for (const fatal of [1, 2]) {
      it(`ends the same when it is killed ${when} write ${fatal}`, async () => {
        const { forge, died } = dying(world.forge, fatal, when);
        await expect(propose({ forge }, update())).rejects.toMatchObject({ code: 'aborted' });
        expect(died()).toBe(true);
        const proposal = await propose(world, update());
        expect(await readProposals(world.forge, '2000-01-01T00:00:00Z')).toEqual([proposal]);
        expect(await world.run('rev-list', '--count', `main..${proposal.head}`)).toBe('1\n');
      });

      it(`takes over the same when it is killed ${when} write ${fatal} of a newer version`, async () => {
        const { number } = await propose(world, update('2.0.0'));
        const { forge } = dying(world.forge, fatal, when);
        await expect(propose({ forge }, update('2.1.0'))).rejects.toMatchObject({ code: 'aborted' });
        const proposal = await propose(world, update('2.1.0'));
        expect(proposal).toMatchObject({ number, version: '2.1.0-r0' });
        expect(await readProposals(world.forge, '2000-01-01T00:00:00Z')).toEqual([proposal]);
        expect(await world.read('libtally.yaml', proposal.head)).toBe('version: "2.1.0"\n');
      });
    }
  }
});

describe('extendProposal', () => {
  it('adds recipes to the branch and the pull request, once', async () => {
    const first = await propose(world, update());
    const extended = await extendProposal(world, first, dependents);
    expect(extended.changes.map((change) => change.package)).toEqual(['libtally', 'count', 'greet']);
    expect(await world.read('count.yaml', extended.head)).toBe('epoch: 1\n');
    expect(await world.read('libtally.yaml', extended.head)).toBe('version: "2.0.0"\n');
    expect(await extendProposal(world, extended, dependents)).toEqual(extended);
    expect(await propose(world, update())).toEqual(extended);
    expect(await world.head('regrow/libtally')).toBe(extended.head);
  });

  for (const when of ['before', 'after'] as const) {
    for (const fatal of [1, 2]) {
      it(`ends the same when it is killed ${when} write ${fatal}`, async () => {
        const first = await propose(world, update());
        const { forge } = dying(world.forge, fatal, when);
        await expect(extendProposal({ forge }, first, dependents)).rejects.toMatchObject({ code: 'aborted' });
        const [read] = await readProposals(world.forge);
        if (read === undefined) throw new Error('the proposal is gone');
        const extended = await extendProposal(world, read, dependents);
        expect(extended.changes).toHaveLength(3);
        expect(await world.run('rev-list', '--count', `main..${extended.head}`)).toBe('2\n');
        expect(await readProposals(world.forge)).toEqual([extended]);
      });
    }
  }

  it('drops the dependents when a newer version takes over', async () => {
    await extendProposal(world, await propose(world, update()), dependents);
    const newer = await propose(world, update('2.1.0'));
    expect(newer.changes).toHaveLength(1);
    expect(await world.read('count.yaml', newer.head)).toBe('epoch: 0\n');
  });

  it('refuses when the branch moved, or is closed', async () => {
    const first = await propose(world, update());
    await propose(world, update('2.1.0'));
    await expect(extendProposal(world, first, dependents)).rejects.toMatchObject({ code: 'forge.conflict' });
    await world.forge.close(first.number, 'no');
    await expect(extendProposal(world, first, dependents)).rejects.toMatchObject({ code: 'forge.conflict' });
  });
});

describe('reportBuilds', () => {
  const failed = {
    package: 'libtally',
    target: 'x86_64-gnu',
    state: 'failed',
    text: 'make failed',
    url: 'https://regrow.example/log',
    failure: {
      class: 'package',
      code: 'build.step-failed',
      message: 'make failed',
      step: 'make',
      tail: ['cc tally.c', '```', 'error: @someone'],
    },
  } satisfies BuildReport;
  const running = { package: 'count', target: 'x86_64-gnu', state: 'running', text: 'building' } satisfies BuildReport;

  it('shows states in the body and on the commit, and a failure with the end of its log', async () => {
    const { number, branch, head: commit } = await propose(world, update());
    const of = { number, branch, commit };
    const before = { ...failed, state: 'running', text: 'building', failure: undefined } as const;
    await reportBuilds(world, { ...of, builds: [before, running], news: [before, running] });
    await reportBuilds(world, { ...of, builds: [failed, running], news: [failed] });
    const open = await world.forge.find(branch);
    expect(
      buildsIn(open?.body ?? '')
        .split('\n')
        .slice(2),
    ).toEqual([
      '| libtally | x86&#95;64-gnu | [failed](https://regrow.example/log) | make failed |',
      '| count | x86&#95;64-gnu | running | building |',
    ]);
    const record = await world.run('cat-file', 'blob', `refs/regrow/proposals/${number}`);
    const { comments } = JSON.parse(record) as { comments: Record<string, string> };
    expect(Object.keys(comments)).toEqual(['build/libtally/x86_64-gnu']);
    expect(comments['build/libtally/x86_64-gnu']).toContain('````text\ncc tally.c\n```\nerror: @someone\n````');
    expect(await world.run('cat-file', 'blob', `refs/regrow/statuses/${commit}`)).toContain('"failure"');

    const refs = await world.run('for-each-ref');
    await reportBuilds(world, { ...of, builds: [failed, running], news: [failed] });
    // What is shown stays when the update is looked at again.
    await propose(world, update());
    expect(await world.run('for-each-ref')).toBe(refs);
  });

  it('writes the body once, however many builds there are', async () => {
    const { number, branch, head: commit } = await propose(world, update());
    let updates = 0;
    const forge: Forge = {
      ...world.forge,
      update: (...args) => {
        updates += 1;
        return world.forge.update(...args);
      },
    };
    const builds = Array.from({ length: 120 }, (_, index) => ({ ...running, package: `p${index}` }));
    await reportBuilds({ forge }, { number, branch, commit, builds, news: builds.slice(0, 3) });
    expect(updates).toBe(1);
    expect((await forge.find(branch))?.body).toContain('and 70 more.');
  });

  it('does not write the build of an older commit into the body', async () => {
    const { number, branch, head: commit } = await propose(world, update());
    await propose(world, update('2.1.0'));
    await reportBuilds(world, { number, branch, commit, builds: [running], news: [running] });
    expect(buildsIn((await world.forge.find(branch))?.body ?? '')).toBe('None yet.');
  });

  it('sets the status that merging waits for', async () => {
    const { head } = await propose(world, update());
    await reportProposal(world, head, 'success', 'all builds passed');
    const statuses = JSON.parse(await world.run('cat-file', 'blob', `refs/regrow/statuses/${head}`));
    expect(statuses).toEqual({ regrow: { context: 'regrow', state: 'success', description: 'all builds passed' } });
  });
});
