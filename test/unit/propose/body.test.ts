import { brotliCompressSync } from 'node:zlib';
import { array, assert, constantFrom, property, record, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/model/decision.ts';
import { type BodyData, buildsTable, parseBody, printBody } from '../../../src/propose/body.ts';
import { branchOf, packageOfBranch } from '../../../src/propose/branch.ts';
import { linksOf } from '../../../src/propose/links.ts';
import { toProposal } from '../../../src/propose/proposals.ts';
import { parseTitle, titleOf } from '../../../src/propose/title.ts';

const data: BodyData = {
  schema: 2,
  package: 'jq',
  version: '1.8.2-r0',
  base: 'b'.repeat(40),
  contents: ['c'],
  because: 'upstream released 1.8.2; the recipe has 1.8.1',
  urgency: 'security',
  fixes: ['CVE-2026-1'],
  evidence: [
    {
      fact: 'upstream has tag jq-1.8.2',
      source: 'https://github.com/jqlang/jq/releases/tag/jq-1.8.2',
      at: '2026-11-01',
    },
  ],
  release: 'https://github.com/jqlang/jq/releases/tag/jq-1.8.2',
  compare: 'https://github.com/jqlang/jq/compare/jq-1.8.1...jq-1.8.2',
  changes: [{ package: 'jq', path: 'jq.yaml', from: '1.8.1-r2', to: '1.8.2-r0', why: 'newer' }],
};
const builds = [{ package: 'jq', target: 'x86_64-gnu', state: 'passed', text: '3 packages, 2 tested' }] as const;

/** Names and versions that have little in common, as real ones do. */
const dependents = (count: number, why: string) =>
  Array.from({ length: count }, (_, index) => {
    const mixed = ((index * 2_654_435_761) >>> 0).toString(36);
    const name = `package-${mixed}`;
    const version = `${index % 17}.${index % 97}.${index % 31}`;
    return {
      package: name,
      path: index % 100 === 0 ? `elsewhere/${name}.yml` : `${name}.yaml`,
      from: `${version}-r${index % 5}`,
      to: index % 50 === 0 ? `${version}.1-r0` : `${version}-r${(index % 5) + 1}`,
      why,
    };
  });

describe('the body of a pull request', () => {
  it('says what came of dependency pins, and gives it back', () => {
    const pins = ['Dropped golang.org/x/crypto@v0.45.0: go.mod requires v0.46.0', 'Kept a|b@v1: <x> is not there'];
    const body = printBody({ ...data, pins });
    expect(body).toContain(
      '### Dependency pins\n\n- Dropped golang.org/x/crypto@&#8203;v0.45.0: go.mod requires v0.46.0\n- Kept a&#124;b@&#8203;v1: &#60;x&#62; is not there\n\n### Builds',
    );
    expect(parseBody(body)).toEqual({ ...data, pins });
    expect(printBody(data)).not.toContain('Dependency pins');
  });

  it('says to people what, why, where from, what changes and how the builds are', () => {
    const body = printBody(data, buildsTable(builds));
    const shown = body.slice(0, body.indexOf('<!-- regrow:update'));
    expect(shown).toMatchInlineSnapshot(`
      "**jq** goes from <code>1.8.1-r2</code> to <code>1.8.2-r0</code>: upstream released 1.8.2; the recipe has 1.8.1.

      Fixes [CVE-2026-1](https://osv.dev/vulnerability/CVE-2026-1).

      [Release](https://github.com/jqlang/jq/releases/tag/jq-1.8.2) · [What changed upstream](https://github.com/jqlang/jq/compare/jq-1.8.1...jq-1.8.2)

      ### Why

      - upstream has tag jq-1.8.2 ([https://github.com/jqlang/jq/releases/tag/jq-1.8.2](https://github.com/jqlang/jq/releases/tag/jq-1.8.2), 2026-11-01)

      ### Changes

      | Recipe | From | To | Why |
      | --- | --- | --- | --- |
      | jq (<code>jq.yaml</code>) | <code>1.8.1-r2</code> | <code>1.8.2-r0</code> | newer |

      ### Builds

      <!-- regrow:builds -->
      | Package | Target | State |  |
      | --- | --- | --- | --- |
      | jq | x86&#95;64-gnu | passed | 3 packages, 2 tested |
      <!-- /regrow:builds -->

      ---

      Made by regrow. It keeps this branch up to date and never overwrites a commit that is not its own. Close this pull request to skip the version.

      "
    `);
  });

  it('reads back, also with other line ends and text around it', () => {
    expect(parseBody(printBody(data))).toEqual(data);
    expect(parseBody(`Hello\r\n${printBody(data).replaceAll('\n', '\r\n')}\r\nBye`)).toEqual(data);
  });

  it('reads back whatever upstream wrote', () => {
    const text = array(
      constantFrom(
        '-->',
        '<!--',
        '--',
        '@team',
        'fixes #12',
        '|',
        '`',
        '\n',
        '"',
        '\\',
        '<script>',
        'a',
        '\u2028',
        'é',
      ),
    ).map((parts) => parts.join(''));
    const odd = record({ because: text, fact: text, why: text, source: string() });
    assert(
      property(odd, ({ because, fact, why, source }) => {
        const changes = data.changes.map((change) => ({ ...change, why }));
        const written = { ...data, because, changes, evidence: [{ fact, source }] };
        const body = printBody(written);
        expect(parseBody(body)).toEqual(written);
        const [shown = ''] = body.split('<!-- regrow:update');
        expect(shown).not.toMatch(/@team|(?<!&)#\d|<script|<!--(?! \/?regrow:builds -->)/);
      }),
    );
  });

  it('fits into what GitHub takes, with the dependents of a large library', () => {
    const why = 'libssl.so.3, libcrypto.so.3 go away with openssl 4.0.0-r0 and so do the engines that were beside them';
    const changes = dependents(2000, why);
    const lines = changes.map(({ package: name }, index) => ({
      package: name,
      target: 'x86_64-gnu',
      state: index === 1999 ? ('failed' as const) : ('passed' as const),
      text: 'a sentence about it that is not short at all, and goes on for a while',
      url: `https://regrow.example/v1/builds/${'a'.repeat(64)}/log`,
    }));
    const body = printBody({ ...data, changes }, buildsTable(lines));
    expect(body.length).toBeLessThanOrEqual(65_536);
    expect(parseBody(body)?.changes).toEqual(changes);
    expect(body).toContain('and 1950 more.');
    expect(body).toMatch(/\| package-[^\n]*\[failed\]/);
  });

  it('is refused with a reason where even that is too much', () => {
    const changes = dependents(12_000, 'it goes away');
    expect(() => printBody({ ...data, changes })).toThrow(/12000 recipes are more than/);
  });

  it('is not read where someone packed more into it than there may be', () => {
    const bomb = brotliCompressSync(Buffer.alloc(9 * 1024 * 1024)).toString('base64');
    expect(parseBody(`<!-- regrow:update br:${bomb} -->`)).toBeUndefined();
  });

  it('is none of ours where the comment is gone or says something else', () => {
    for (const text of [
      '',
      'Hi',
      '<!-- regrow:update {} -->',
      '<!-- regrow:update {',
      '<!-- regrow:update nonsense -->',
    ]) {
      expect(parseBody(text)).toBeUndefined();
    }
  });
});

describe('titles and branches', () => {
  it('read back', () => {
    expect(titleOf('jq', '1.8.2-r0')).toBe('jq/1.8.2 package update');
    expect(parseTitle('jq/1.8.2 package update')).toEqual({ package: 'jq', version: '1.8.2' });
    expect(parseTitle('Improve jq')).toBeUndefined();
    expect(branchOf('py3.12-babel')).toBe('regrow/py3.12-babel');
    expect(packageOfBranch('regrow/jq')).toBe('jq');
    expect(packageOfBranch('main')).toBeUndefined();
  });
});

describe('toProposal', () => {
  const found = {
    number: 1,
    url: 'u',
    branch: 'regrow/jq',
    title: 'jq/1.8.2 package update',
    body: '',
    labels: ['regrow'],
    state: 'closed',
    head: 'h',
    openedAt: '2026-11-01T00:00:00Z',
    closedAt: '2026-11-02T00:00:00Z',
    closedBy: 'ada',
  } as const;

  it('has what the forge and the body say', () => {
    expect(toProposal(found, data)).toMatchObject({
      package: 'jq',
      version: '1.8.2-r0',
      base: data.base,
      closedBy: 'ada',
    });
  });

  it('is read from branch and title where the body says nothing, or is of another package', () => {
    for (const body of [undefined, { ...data, package: 'other' }]) {
      expect(toProposal(found, body)).toMatchObject({ package: 'jq', version: '1.8.2-r0', changes: [], base: 'h' });
    }
  });

  it('is nothing for a branch that is not ours, or where nothing can be read', () => {
    expect(toProposal({ ...found, branch: 'feature' }, data)).toBeUndefined();
    expect(toProposal({ ...found, branch: 'regrow/' }, data)).toBeUndefined();
    expect(toProposal({ ...found, title: 'Hello' }, undefined)).toBeUndefined();
  });
});

describe('linksOf', () => {
  const decision = (to: Decision['to']): Decision => ({
    package: 'jq',
    action: 'bump',
    from: { version: '1.8.1', epoch: 0 },
    ...(to === undefined ? {} : { to }),
    reason: 'newer-release',
    because: '',
    urgency: 'normal',
    evidence: [],
    fixes: [],
  });
  const to = {
    version: '1.8.2',
    epoch: 0,
    tag: 'jq-1.8.2',
    source: 's',
    url: 'https://github.com/jqlang/jq/releases/tag/jq-1.8.2',
  };

  it('are the release and the comparison with the version before', () => {
    expect(linksOf(decision(to))).toEqual({
      release: to.url,
      compare: 'https://github.com/jqlang/jq/compare/jq-1.8.1...jq-1.8.2',
    });
  });

  it('are only what can be known', () => {
    expect(linksOf(decision(undefined))).toEqual({});
    expect(linksOf(decision({ ...to, tag: 'REL_1_8_2' }))).toEqual({ release: to.url });
    expect(linksOf(decision({ ...to, url: 'https://example.org/news' }))).toEqual({
      release: 'https://example.org/news',
    });
  });
});
