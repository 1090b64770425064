import { afterEach, describe, expect, it } from 'vitest';
import {
  createSmallDistribution,
  feedEcosystem,
  fetchedRecipe,
  owner,
  recipe,
  type SmallDistribution,
  type SmallDistributionOptions,
} from './support/small-distribution.ts';

let box: SmallDistribution | undefined;
afterEach(async () => {
  await box?.close();
  box = undefined;
});

async function begin(options: SmallDistributionOptions): Promise<SmallDistribution> {
  box = await createSmallDistribution(options);
  return box;
}

/** Codes of a package's problem, of what `regrow explain` says, and of its events. */
async function codesOf(distribution: SmallDistribution, name: string) {
  const { blocker } = await distribution.explain(name);
  const problems = (await distribution.problems()).filter((problem) => problem.name === name);
  const events = (await distribution.events()).filter(
    (event) => event.package === name || event.facts['image'] === name,
  );
  return {
    problems: problems.map(({ code }) => code),
    explained: blocker.code,
    events: events.flatMap(({ facts }) => (typeof facts['code'] === 'string' ? [facts['code']] : [])),
  };
}

function only(code: string) {
  return { problems: [code], explained: code, events: [code] };
}

describe('recipes that cannot be read', () => {
  const bad = {
    'malformed.yaml': 'package:\n  name: malformed\n  version: [1, 0\n',
    'strange-version.yaml': recipe('strange-version', { version: '1.0-final' }),
    'cycle.yaml': recipe('cycle', { pipeline: '  - uses: round/a\n' }),
    'pipelines/round/a.yaml': 'name: a\npipeline:\n  - uses: round/b\n',
    'pipelines/round/b.yaml': 'name: b\npipeline:\n  - uses: round/a\n',
    'broken-pipeline.yaml': recipe('broken-pipeline', { pipeline: '  - uses: broken\n' }),
    'pipelines/broken.yaml': 'name: [broken\n',
    'unknown-pipeline.yaml': recipe('unknown-pipeline', { pipeline: '  - uses: no/such\n' }),
    'unknown-variable.yaml': recipe('unknown-variable', { pipeline: '  - runs: echo ${{vars.none}}\n' }),
  };

  it('each is one problem with a code, of its own; what is good is built and published', async () => {
    const distribution = await begin({ files: { 'good.yaml': recipe('good'), ...bad } });
    await distribution.until('good is published', async () => 'good-1.0-r0' in (await distribution.published()));
    expect(Object.keys(await distribution.published())).toEqual(['good-1.0-r0']);
    expect(await codesOf(distribution, 'malformed')).toEqual(only('recipe.malformed'));
    expect(await codesOf(distribution, 'strange-version')).toEqual(only('recipe.version-invalid'));
    expect(await codesOf(distribution, 'cycle')).toEqual(only('recipe.include-cycle'));
    expect(await codesOf(distribution, 'unknown-pipeline')).toEqual(only('recipe.pipeline-unknown'));
    expect(await codesOf(distribution, 'unknown-variable')).toEqual(only('recipe.variable-unknown'));
    expect(await codesOf(distribution, 'broken-pipeline')).toEqual(only('recipe.malformed'));
    // It names the file that has to be mended, not the one that uses it.
    expect((await distribution.explain('broken-pipeline')).blocker.text).toContain('pipelines/broken.yaml');
    expect((await distribution.problems()).length).toBe(6);
  });

  it('one that was good stays published as it is, and goes on when it is mended', async () => {
    const distribution = await begin({ files: { 'good.yaml': recipe('good'), 'turns-bad.yaml': recipe('turns-bad') } });
    await distribution.until('both are published', async () => 'turns-bad-1.0-r0' in (await distribution.published()));
    const before = await distribution.published();
    await distribution.push({ 'turns-bad.yaml': 'package: [\n', 'good.yaml': recipe('good', { version: '1.1' }) });
    await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
    expect(await codesOf(distribution, 'turns-bad')).toEqual(only('recipe.malformed'));
    expect(await distribution.published()).toMatchObject(before);

    await distribution.push({ 'turns-bad.yaml': recipe('turns-bad', { version: '1.1' }) });
    await distribution.until('turns-bad 1.1', async () => 'turns-bad-1.1-r0' in (await distribution.published()));
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
  });
});

describe('sources that are not what they should be', () => {
  it('a tarball of another hash fails that build alone', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => {
        const good = await small.project('good');
        await small.project('tampered');
        return {
          'good.yaml': fetchedRecipe('good', good),
          'tampered.yaml': fetchedRecipe('tampered', '0'.repeat(64)),
        };
      },
    });
    await distribution.until('good is published', async () => 'good-1.0-r0' in (await distribution.published()));
    await distribution.until('the failure', async () => (await distribution.explain('tampered')).state === 'failing');
    const { blocker } = await distribution.explain('tampered');
    expect(blocker).toMatchObject({ kind: 'build-failed', code: 'source.hash-mismatch' });
    expect(blocker.text).toContain('the recipe pins');
    const failed = (await distribution.events()).filter(({ kind }) => kind === 'build-failed');
    expect(failed).toMatchObject([{ package: 'tampered', facts: { code: 'source.hash-mismatch' } }]);
    expect(Object.keys(await distribution.published())).toEqual(['good-1.0-r0']);
  });

  it('a page of HTML where a tarball is due fails that build alone, which is tried again after a while', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => {
        small.github.faults.add({ path: `/${owner}/portal/archive/`, times: Infinity, does: { kind: 'html' } });
        const good = await small.project('good');
        const portal = await small.project('portal');
        return { 'good.yaml': fetchedRecipe('good', good), 'portal.yaml': fetchedRecipe('portal', portal) };
      },
    });
    await distribution.until('good is published', async () => 'good-1.0-r0' in (await distribution.published()));
    await distribution.until('the failure', async () => (await distribution.explain('portal')).state === 'failing');
    expect((await distribution.explain('portal')).blocker).toMatchObject({
      kind: 'build-failed',
      code: 'upstream.answer-invalid',
    });
    distribution.github.faults.clear();
    await distribution.until('portal is published', async () => 'portal-1.0-r0' in (await distribution.published()));
  });

  it('a page of HTML where the tarball of a new release is due keeps that update from being proposed', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => ({
        'good.yaml': fetchedRecipe('good', await small.project('good')),
        'portal.yaml': fetchedRecipe('portal', await small.project('portal')),
      }),
    });
    await distribution.until('the start', async () => Object.keys(await distribution.published()).length === 2);
    const before = await distribution.published();
    distribution.github.faults.add({ path: `/${owner}/portal/archive/`, times: Infinity, does: { kind: 'html' } });
    await distribution.release('good', '1.1');
    await distribution.release('portal', '1.1');
    await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
    await distribution.until('the problem', async () => (await distribution.problems()).length > 0);
    expect(await codesOf(distribution, 'portal')).toEqual(only('upstream.answer-invalid'));
    expect(await distribution.published()).toMatchObject(before);
    expect(distribution.os.pulls().map(({ title }) => title)).toEqual(['good/1.1 package update']);
    distribution.github.faults.clear();
    await distribution.until('portal 1.1', async () => 'portal-1.1-r0' in (await distribution.published()));
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
  });
});

describe('upstreams and feeds that answer a page of HTML', () => {
  it('a release API: a failing source of that package alone', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => {
        small.github.faults.add({ path: `/repos/${owner}/portal/`, times: Infinity, does: { kind: 'html' } });
        return {
          'good.yaml': fetchedRecipe('good', await small.project('good')),
          'portal.yaml': fetchedRecipe('portal', await small.project('portal')),
        };
      },
    });
    await distribution.until('the start', async () => Object.keys(await distribution.published()).length === 2);
    await distribution.release('good', '1.1');
    await distribution.release('portal', '1.1');
    await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
    expect((await distribution.explain('portal')).blocker).toMatchObject({
      kind: 'source-failed',
      code: 'upstream.answer-invalid',
    });
    const failures = (await distribution.events()).filter(({ kind }) => kind === 'source-failed');
    expect(failures).toMatchObject([{ facts: { code: 'upstream.answer-invalid' } }]);
    distribution.github.faults.clear();
    await distribution.until('portal 1.1', async () => 'portal-1.1-r0' in (await distribution.published()));
  });

  it('an advisory feed: a failing feed, and nothing else; it goes on when the feed does', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => {
        small.osv.faults.add({ path: 'modified_id.csv', times: Infinity, does: { kind: 'html' } });
        return { 'good.yaml': fetchedRecipe('good', await small.project('good')) };
      },
    });
    await distribution.until('the start', async () => 'good-1.0-r0' in (await distribution.published()));
    const failing = async () => (await sources(distribution)).failing;
    await distribution.until('the failure', async () => (await failing()).length > 0);
    expect(await failing()).toMatchObject([{ message: expect.stringContaining('upstream.answer-invalid') }]);

    distribution.osv.faults.clear();
    distribution.osv.publish(feedEcosystem, advisory('BAD-1', 'good'));
    await distribution.until(
      'the finding',
      async () => (await distribution.explain('good')).vulnerabilities.length > 0,
    );
    // The api keeps its view of all for a moment.
    await distribution.until('the end of the failure', async () => (await failing()).length === 0);
  });

  it('one record of a feed that is no record: that record alone', async () => {
    const distribution = await begin({
      files: {},
      prepare: async (small) => {
        small.osv.publishText(feedEcosystem, 'BAD-2', '<!DOCTYPE html><html></html>');
        small.osv.publish(feedEcosystem, advisory('BAD-1', 'good'));
        return { 'good.yaml': fetchedRecipe('good', await small.project('good')) };
      },
    });
    await distribution.until('the finding', async () => {
      if (!('good-1.0-r0' in (await distribution.published()))) return false;
      return (await distribution.explain('good')).vulnerabilities.length > 0;
    });
    expect((await sources(distribution)).failing).toMatchObject([{ source: 'advisories:box/BAD-2' }]);
  });
});

describe('image definitions that are none', () => {
  it('each is one problem; other images are published, and those that were stay as they are', async () => {
    const image = (name: string) => `contents:\n  packages:\n    - ${name}\n`;
    const distribution = await begin({
      files: {
        'good.yaml': recipe('good'),
        'images/fine.yaml': image('good'),
        'images/turns-bad.yaml': image('good'),
        'images/malformed.yaml': 'contents: [\n',
        'images/wrong-key.yaml': 'contents:\n  packages: 7\n',
        'images/unsatisfiable.yaml': image('no-such-package'),
      },
    });
    await distribution.until('the images', async () => Object.keys(await distribution.images()).length === 2);
    const before = await distribution.images();
    expect(Object.keys(before)).toEqual(['fine:latest', 'turns-bad:latest']);
    expect((await distribution.problems()).map(({ name, code }) => `${name} ${code}`)).toEqual([
      'malformed image.invalid',
      'unsatisfiable solve.unsatisfiable',
      'wrong-key image.invalid',
    ]);
    await distribution.push({
      'images/turns-bad.yaml': image('no-such-package'),
      'good.yaml': recipe('good', { version: '1.1' }),
    });
    await distribution.until('the new image', async () => {
      return (await distribution.images())['fine:latest'] !== before['fine:latest'];
    });
    expect((await distribution.images())['turns-bad:latest']).toBe(before['turns-bad:latest']);
    expect(await codesOf(distribution, 'turns-bad')).toEqual(only('solve.unsatisfiable'));
  });
});

async function sources(distribution: SmallDistribution) {
  const { body } = await distribution.get('/v1/status');
  return (body as { sources: { failing: { source: string; message: string }[] } }).sources;
}

function advisory(id: string, name: string) {
  const repo = `https://github.com/${owner}/${name}`;
  return {
    id,
    summary: 'It is bad',
    affected: [
      {
        package: { ecosystem: feedEcosystem, name: repo, purl: `pkg:github/${owner}/${name}` },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '9.0' }] }],
      },
    ],
  };
}
