import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bumpEpoch, bumpRecipe } from '../../../src/bump/edit-recipe.ts';
import { readRecipeDocument } from '../../../src/bump/recipe-document.ts';
import { hashEdits, sourcesForVersion } from '../../../src/bump/resolve-hashes.ts';
import { sourceNodes, sourcesToPin } from '../../../src/bump/source-nodes.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { sharedData } from '../../support/shared-data.ts';

const wolfi = sharedData('wolfi-os');
const target = { arch: 'x86_64', libc: 'gnu' } as const;
const commit = (digit: string) => digit.repeat(40);
const head = 'package:\n  name: p\n  version: 1.2.3\n  epoch: 0\n';

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly pipeline?: readonly Step[];
}

/** A recipe in JSON, which is YAML. */
function recipe(pipeline: readonly Step[], rest: object = {}): string {
  const parts = Object.entries({ pipeline, ...rest }).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  return head + parts.join('');
}

const checkout = (tag: Readonly<Record<string, string>>, digit = '1'): Step => ({
  uses: 'git-checkout',
  with: { repository: 'https://example.test/r', ...tag, 'expected-commit': commit(digit) },
});

function pinned(text: string): readonly string[] {
  return sourcesToPin(readRecipeDocument(text)).flatMap(({ pins }) => pins.map(({ value }) => value.slice(0, 3)));
}

test.skipIf(wolfi === undefined)('every tenth real recipe can be bumped, all its variables put in', () => {
  const folder = wolfi ?? '';
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const unpinned: string[] = [];
  for (const file of files.filter((_, i) => i % 10 === 0)) {
    const text = readFileSync(join(folder, file), 'utf8');
    const { epoch, version } = parseRecipe(file, text).recipe.package;
    const { recipe: bumped } = parseRecipe(file, bumpEpoch(text));
    expect(bumped.package).toMatchObject({ version, epoch: epoch + 1 });
    if (sourcesForVersion(file, text, '99.1.2', target).length === 0) unpinned.push(file);
  }
  // Recipes of nothing but links and dependencies have no source.
  expect(unpinned.length).toBeLessThan(files.length / 10 / 20);
});

describe('sourcesToPin', () => {
  test('takes the only checkout of the main pipeline, whatever its ref', () => {
    expect(pinned(recipe([checkout({ branch: 'main' })]))).toEqual(['111']);
    expect(pinned(recipe([{ pipeline: [checkout({ tag: 'v1' })] }]))).toEqual(['111']);
  });

  test('takes of several checkouts those whose tag follows the version', () => {
    const text = recipe(
      [
        checkout({ tag: 'v${{package.version}}' }, '1'),
        checkout({ tag: 'v9' }, '2'),
        checkout({ branch: 'main' }, '3'),
        checkout({ tag: 'r-${{vars.dashed}}' }, '4'),
        checkout({ tag: '${{vars.via}}' }, '5'),
        checkout({ tag: '${{ vars.other }}' }, '6'),
      ],
      {
        vars: { via: 'x${{vars.dashed}}', other: 'fixed' },
        'var-transforms': [{ from: '${{package.version}}', match: '\\.', replace: '-', to: 'dashed' }],
      },
    );
    expect(pinned(text)).toEqual(['111', '444', '555']);
  });

  test('takes every fetch of the main pipeline, and elsewhere what follows the version', () => {
    const fetched = (uri: string, digit: string): Step => ({
      uses: 'fetch',
      with: { uri, 'expected-sha512': digit.repeat(128) },
    });
    const text = recipe([fetched('https://example.test/latest.tgz', '1')], {
      subpackages: [
        {
          name: 'a',
          pipeline: [fetched('https://example.test/x', '2'), fetched('https://e.test/${{package.version}}', '3')],
        },
        { name: 'b', test: { pipeline: [checkout({ tag: 'v${{package.version}}' }, '4')] } },
      ],
      test: { pipeline: [checkout({ tag: 'v1' }, '5')] },
    });
    expect(pinned(text)).toEqual(['111', '333', '444']);
    expect(sourceNodes(readRecipeDocument(text)).map(({ place }) => place)).toEqual([
      'main',
      'subpackage',
      'subpackage',
      'test',
      'test',
    ]);
  });

  test('leaves a computed pin alone, and follows one to the variable that holds it', () => {
    const templated = (value: string): Step => ({
      uses: 'git-checkout',
      with: { repository: 'https://example.test/r', tag: 'v${{package.version}}', 'expected-commit': value },
    });
    expect(pinned(recipe([templated('${{vars.gone}}')]))).toEqual([]);
    expect(pinned(recipe([templated('${{vars.a}}${{vars.b}}')], { vars: { a: 'x', b: 'y' } }))).toEqual([]);
    expect(pinned(recipe([templated('${{range.value}}')]))).toEqual([]);
    const text = recipe([templated('${{vars.sha}}')], { vars: { sha: commit('7') } });
    expect(sourcesToPin(readRecipeDocument(text))[0]?.pins).toEqual([
      { kind: 'commit', path: ['vars', 'sha'], value: commit('7') },
    ]);
  });

  test('sees no source where a recipe has none', () => {
    expect(sourceNodes(readRecipeDocument(head))).toEqual([]);
    expect(sourceNodes(readRecipeDocument(recipe([{ uses: 'strip' }, { uses: 'fetch' }])))).toEqual([]);
  });
});

describe('sourcesForVersion', () => {
  test('gives addresses as they are at the new version, and the edits that pin what is found there', () => {
    const text = recipe(
      [
        {
          uses: 'fetch',
          with: { uri: 'https://e.test/p-${{vars.short}}-${{build.arch}}.tgz', 'expected-sha256': 'a'.repeat(64) },
        },
        checkout({ tag: 'v${{package.version}}' }),
      ],
      { 'var-transforms': [{ from: '${{package.version}}', match: '^(\\d+)\\..*', replace: '$1', to: 'short' }] },
    );
    const sources = sourcesForVersion('p.yaml', text, '2.0.1', target);
    expect(sources).toEqual([
      expect.objectContaining({ uses: 'fetch', url: 'https://e.test/p-2-x86_64.tgz' }),
      expect.objectContaining({ uses: 'git-checkout', repository: 'https://example.test/r', ref: { tag: 'v2.0.1' } }),
    ]);
    const found = sources.map((source) => ({
      source,
      hashes: source.uses === 'fetch' ? { sha256: 'b'.repeat(64), sha512: '' } : { commit: commit('2') },
    }));
    expect(bumpRecipe(text, { version: '2.0.1', hashes: hashEdits(found) })).toBe(
      text
        .replace('version: 1.2.3', 'version: "2.0.1"')
        .replace('a'.repeat(64), 'b'.repeat(64))
        .replace(commit('1'), commit('2')),
    );
  });

  test('says which ref a checkout without a tag is of', () => {
    const refs = (step: Step) =>
      sourcesForVersion('p.yaml', recipe([step]), '2', target).map((source) => 'ref' in source && source.ref);
    expect(refs(checkout({ branch: 'main' }))).toEqual([{ branch: 'main' }]);
    expect(refs(checkout({}))).toEqual([{ head: true }]);
  });

  test.each<[string, Step, string, string]>([
    ['a version that apk cannot read', checkout({ tag: 'x' }), 'v2', 'recipe.version-invalid'],
    ['a version with its epoch', checkout({ tag: 'x' }), '2-r1', 'recipe.version-invalid'],
    ['an unknown variable', checkout({ tag: '${{vars.no}}' }), '2', 'recipe.variable-unknown'],
    ['no address', { uses: 'fetch', with: { 'expected-sha256': 'a'.repeat(64) } }, '2', 'recipe.malformed'],
  ])('refuses %s', (_, step, version, code) => {
    expect(() => sourcesForVersion('p.yaml', recipe([step]), version, target)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe('hashEdits', () => {
  const shared = recipe(
    ['a', 'b'].map((r) => ({
      uses: 'git-checkout',
      with: { repository: `https://e.test/${r}`, tag: 'v${{package.version}}', 'expected-commit': '${{vars.sha}}' },
    })),
    { vars: { sha: commit('7') } },
  );
  const sources = () => sourcesForVersion('p.yaml', shared, '2', target);

  test('edits a shared pin once', () => {
    const edits = hashEdits(sources().map((source) => ({ source, hashes: { commit: commit('8') } })));
    expect(edits).toEqual([{ path: ['vars', 'sha'], old: commit('7'), value: commit('8') }]);
  });

  test('refuses sources that differ on a shared pin, and a hash that was not found', () => {
    const differing = sources().map((source, i) => ({ source, hashes: { commit: commit(String(i)) } }));
    expect(() => hashEdits(differing)).toThrow(expect.objectContaining({ code: 'recipe.edit-impossible' }));
    expect(() => hashEdits(sources().map((source) => ({ source, hashes: {} })))).toThrow('commit');
  });
});
