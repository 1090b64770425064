import { expect, test } from 'vitest';
import { readPipelineDirectory } from '../../../src/adapters/pipeline-directory.ts';
import { createPipelineLibrary } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { recipeFacts, recipeFactsSchema } from '../../../src/plan/recipe-facts.ts';

const pipelines = createPipelineLibrary(
  new Map([
    ...(await readPipelineDirectory()),
    ['bump', 'needs:\n  packages:\n    - omnibump=1.0\npipeline:\n  - uses: patch\n'],
    ['arm', 'needs:\n  packages:\n    - arm-tools\n'],
  ]),
);

function facts(text: string) {
  const { recipe } = parseRecipe('foo.yaml', `package:\n  name: foo\n  version: "1.2"\n  epoch: 4\n${text}`);
  return recipeFacts(recipe, { target: { arch: 'x86_64', libc: 'gnu' }, pipelines, file: 'foo.yaml' });
}

test('needs come from the environment and the pipelines of origin and subpackages, not from tests and run time', () => {
  const drawn = facts(`  dependencies:
    runtime:
      - run-time
    provides:
      - bar=\${{package.full-version}}
    provider-priority: 7
environment:
  contents:
    packages:
      - busybox
      - go-\${{vars.go}}
      - "!old"
vars:
  go: "1.27"
pipeline:
  - uses: git-checkout
    with:
      repository: https://x/y
  - uses: bump
  - if: \${{build.arch}} == 'aarch64'
    uses: arm
  - needs:
      packages:
        - inline
    runs: make
  - uses: go/build
    with:
      go-package: go-\${{vars.go}}
      output: x
      packages: .
subpackages:
  - name: foo-dev
    pipeline:
      - uses: cmake/install
      - uses: never/heard/of
    test:
      environment:
        contents:
          packages:
            - only-tested
`);
  expect(drawn).toEqual({
    origin: 'foo',
    version: '1.2-r4',
    packages: [
      { name: 'foo', provides: ['bar=1.2-r4'], priority: 7 },
      { name: 'foo-dev', provides: [], priority: 0 },
    ],
    needs: [
      '!old',
      'build-base',
      'busybox',
      'ca-certificates-bundle',
      'cmake',
      'git',
      'go-1.27',
      'inline',
      'ninja',
      'omnibump=1.0',
      'patch',
    ],
    unknownPipelines: ['never/heard/of'],
  });
  expect(recipeFactsSchema.parse(JSON.parse(JSON.stringify(drawn)))).toEqual(drawn);
});

test('an environment with an unknown variable is refused, naming recipe and field', () => {
  expect(() => facts('environment:\n  contents:\n    packages:\n      - ${{vars.none}}\n')).toThrow(
    expect.objectContaining({
      code: 'recipe.variable-unknown',
      where: { package: 'foo', file: 'foo.yaml', field: 'environment.contents.packages' },
    }),
  );
});
