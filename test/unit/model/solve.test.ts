import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toRegrowError } from '../../../src/errors.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { parseDependency } from '../../../src/model/dependency.ts';
import { createPackageIndex, solve } from '../../../src/model/solve.ts';
import { artifactOf } from '../../support/packages.ts';

interface Facts {
  readonly depends?: readonly string[];
  readonly provides?: readonly string[];
  readonly origin?: string;
  readonly priority?: number;
}

/** `pkg('a-1.0-r0', { depends: ['b'] })` */
function pkg(id: string, { depends = [], provides = [], origin, priority }: Facts = {}): Artifact {
  const [, name = '', version = ''] = /^(.*)-([^-]+-r\d+)$/.exec(id) ?? [];
  return artifactOf({
    name,
    version,
    origin: origin ?? name,
    depends: [...depends],
    provides: [...provides],
    ...(priority === undefined ? {} : { providerPriority: priority }),
  });
}

function chosen(artifacts: readonly Artifact[], ...wanted: string[]): string[] {
  return solve(createPackageIndex(artifacts), wanted).map(({ info }) => `${info.name}-${info.version}`);
}

function refusal(artifacts: readonly Artifact[], ...wanted: string[]): string {
  try {
    chosen(artifacts, ...wanted);
  } catch (error) {
    const { code, message } = toRegrowError(error);
    return `${code}: ${message}`;
  }
  throw new Error('it was solved');
}

describe('solve', () => {
  test('takes the closure, sorted by name, the newest version of each', () => {
    const repository = [
      pkg('zsh-5.9-r0', { depends: ['so:libc.so.6'] }),
      pkg('glibc-2.9-r0', { provides: ['so:libc.so.6=6'] }),
      pkg('glibc-2.10-r0', { provides: ['so:libc.so.6=6'] }),
      pkg('unrelated-1-r0'),
    ];
    expect(chosen(repository, 'zsh')).toEqual(['glibc-2.10-r0', 'zsh-5.9-r0']);
  });

  test('goes through a cycle', () => {
    expect(chosen([pkg('a-1-r0', { depends: ['b'] }), pkg('b-1-r0', { depends: ['a'] })], 'a')).toEqual([
      'a-1-r0',
      'b-1-r0',
    ]);
  });

  test.each([
    ['foo=1.1-r0', 'foo-1.1-r0'],
    ['foo~1', 'foo-1.2-r0'],
    ['foo<1.2', 'foo-1.1-r0'],
    ['foo<=1.2-r0', 'foo-1.2-r0'],
    ['foo>1.2-r0', 'foo-2.0-r0'],
    ['foo>=1.2', 'foo-2.0-r0'],
  ])('%s is %s', (wanted, version) => {
    expect(chosen([pkg('foo-1.1-r0'), pkg('foo-2.0-r0'), pkg('foo-1.2-r0')], wanted)).toEqual([version]);
  });

  test('a name is met by a provide; a bare provide never meets a version', () => {
    const repository = [pkg('a-1-r0', { provides: ['virtual'] }), pkg('b-1-r0', { provides: ['virtual=3'] })];
    expect(chosen(repository, 'virtual')).toEqual(['b-1-r0']);
    expect(chosen(repository, 'virtual>2')).toEqual(['b-1-r0']);
    expect(chosen([repository[0] ?? pkg('a-1-r0')], 'virtual')).toEqual(['a-1-r0']);
    expect(refusal([repository[0] ?? pkg('a-1-r0')], 'virtual>=0')).toContain('there is only a-1-r0');
  });

  test('a provide whose version apk cannot compare is a bare name', () => {
    const repository = [pkg('a-1-r0', { provides: ['so:x.so.1=1.x'] })];
    expect(chosen(repository, 'so:x.so.1')).toEqual(['a-1-r0']);
    expect(refusal(repository, 'so:x.so.1=1')).toContain('there is only');
  });

  test('of providers: version for the name, priority, newest, name', () => {
    const provide = { provides: ['cc=2'] };
    expect(chosen([pkg('x-1-r0', { provides: ['cc=1'] }), pkg('y-1-r0', provide)], 'cc')).toEqual(['y-1-r0']);
    const own = pkg('cc-2-r0');
    expect(chosen([own, pkg('y-1-r0', { provides: ['cc=2-r0'] })], 'cc')).toEqual(['cc-2-r0']);
    expect(chosen([own, pkg('y-1-r0', { provides: ['cc=2-r0'], priority: 5 })], 'cc')).toEqual(['y-1-r0']);
    expect(chosen([pkg('x-1-r0', provide), pkg('y-1-r0', { ...provide, priority: 5 })], 'cc')).toEqual(['y-1-r0']);
    expect(chosen([pkg('x-1-r0', provide), pkg('y-2-r0', provide)], 'cc')).toEqual(['y-2-r0']);
    expect(chosen([pkg('y-1-r0', provide), pkg('x-1-r0', provide)], 'cc')).toEqual(['x-1-r0']);
  });

  test('prefers what is there already, then the sibling of the same origin and version', () => {
    const repository = [
      pkg('lib-1-r0', { origin: 'o', provides: ['iface=1'] }),
      pkg('tool-1-r0', { origin: 'o', depends: ['iface'] }),
      pkg('newer-2-r0', { provides: ['iface=2'] }),
    ];
    expect(chosen(repository, 'tool')).toEqual(['lib-1-r0', 'tool-1-r0']);
    expect(chosen(repository, 'newer', 'tool')).toEqual(['newer-2-r0', 'tool-1-r0']);
    // What is wanted by itself is not chosen for its siblings.
    expect(chosen(repository, 'tool', 'iface')).toEqual(['newer-2-r0', 'tool-1-r0']);
  });

  test('two packages with the same versioned name do not go together, bare names do', () => {
    const repository = [
      pkg('a-1-r0', { provides: ['cmd:ls=1'] }),
      pkg('b-1-r0', { provides: ['cmd:ls=2'] }),
      pkg('c-1-r0', { provides: ['shell'] }),
      pkg('d-1-r0', { provides: ['shell'] }),
    ];
    expect(refusal(repository, 'a', 'b')).toBe(
      'solve.unsatisfiable: cannot meet b: b-1-r0: a-1-r0 is chosen and also carries cmd:ls',
    );
    expect(chosen(repository, 'c', 'd')).toEqual(['c-1-r0', 'd-1-r0']);
  });

  test('! keeps a package out, whichever is asked for first', () => {
    const repository = [pkg('a-1-r0'), pkg('b-1-r0', { depends: ['!a'] }), pkg('c-1-r0', { provides: ['a'] })];
    expect(refusal(repository, 'a', 'b')).toBe(
      'solve.unsatisfiable: cannot meet !a, which b-1-r0 needs: a-1-r0 is there',
    );
    expect(refusal(repository, 'b', 'a')).toContain('cannot meet !a, which b-1-r0 needs: c-1-r0 is there');
    expect(refusal(repository, '!a', 'a')).toContain('a-1-r0: !a is asked for');
    expect(chosen([pkg('self-1-r0', { depends: ['!mta'], provides: ['mta'] })], 'self')).toEqual(['self-1-r0']);
  });

  test('goes back when an early pick stands in the way', () => {
    const repository = [
      pkg('app-1-r0', { depends: ['lib', 'old'] }),
      pkg('lib-2-r0'),
      pkg('lib-1-r0'),
      pkg('old-1-r0', { depends: ['lib<2'] }),
    ];
    expect(chosen(repository, 'app')).toEqual(['app-1-r0', 'lib-1-r0', 'old-1-r0']);
  });

  test('a wanted version holds for what others need too', () => {
    const repository = [pkg('app-1-r0', { depends: ['lib'] }), pkg('lib-2-r0'), pkg('lib-1-r0')];
    expect(chosen(repository, 'app', 'lib=1-r0')).toEqual(['app-1-r0', 'lib-1-r0']);
    expect(chosen(repository, 'app', 'lib', 'lib<2')).toEqual(['app-1-r0', 'lib-1-r0']);
  });

  test('names the chain that leads to what is missing', () => {
    const repository = [pkg('a-1-r0', { depends: ['b'] }), pkg('b-2-r3', { depends: ['so:libgone.so.1'] })];
    expect(refusal(repository, 'a')).toBe(
      'solve.unsatisfiable: cannot meet so:libgone.so.1, which b-2-r3 needs, which a-1-r0 needs: no package is or provides it',
    );
    expect(refusal([pkg('a-1-r0')], 'a@edge')).toContain('without tags');
  });

  test('whatever it answers holds, and does not depend on the order of the repository', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const dependency = fc
      .tuple(name, fc.constantFrom('', '=1-r0', '>1-r0', '<2'))
      .map(([n, constraint]) => n + constraint);
    const artifact = fc
      .record({ name, version: fc.constantFrom('1', '2', '3'), depends: fc.array(dependency, { maxLength: 3 }) })
      .map(({ name: n, version, depends }) => pkg(`${n}-${version}-r0`, { depends }));
    const repository = fc.uniqueArray(artifact, { selector: ({ info }) => info.name + info.version, maxLength: 12 });
    fc.assert(
      fc.property(repository, dependency, (artifacts, wanted) => {
        const answer = attempt(artifacts, wanted);
        expect(attempt(artifacts.toReversed(), wanted)).toEqual(answer);
        if (answer === undefined) return;
        const installed = createPackageIndex(answer);
        expect(new Set(answer.map(({ info }) => info.name)).size).toBe(answer.length);
        for (const text of [wanted, ...answer.flatMap(({ info }) => info.depends)]) {
          expect(installed.byName.get(parseDependency(text).name)).toHaveLength(1);
        }
        expect(solve(installed, [wanted])).toEqual(answer);
      }),
    );
  });
});

function attempt(artifacts: readonly Artifact[], wanted: string): readonly Artifact[] | undefined {
  try {
    return solve(createPackageIndex(artifacts), [wanted]);
  } catch {
    return undefined;
  }
}

test.each([
  ['so:libc.so.6', true],
  ['so:ld-linux-x86-64.so.2', true],
  ['so:libc.musl-x86_64.so.1', true],
  ['so:libcurl.so.4', false],
])('that %s comes of a recipe that regrow ships: %s', (wanted, isShipped) => {
  expect(() => solve(createPackageIndex([]), [wanted])).toThrow(
    expect.objectContaining({
      remedy: expect.stringContaining(
        isShipped ? 'config/recipes/host-libc.yaml' : 'publish a package that provides it',
      ),
    }),
  );
});
