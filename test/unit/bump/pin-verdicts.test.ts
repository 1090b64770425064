import { describe, expect, test } from 'vitest';
import { pinSteps } from '../../../src/bump/dependency-pins.ts';
import { editPins } from '../../../src/bump/pin-edits.ts';
import { judgePins } from '../../../src/bump/pin-verdicts.ts';
import { manifestsOf, type ReadManifest } from '../../../src/bump/project-versions.ts';
import { readRecipeDocument } from '../../../src/bump/recipe-document.ts';

const crypto = 'golang.org/x/crypto';

const reader =
  (files: Readonly<Record<string, string>>): ReadManifest =>
  (path) => {
    const found = files[path];
    return found === undefined ? { absent: 'is not in the release' } : { text: found };
  };

/** What comes of a step's pins at a release with these files: what is left of its `with`, and what is said. */
function at(
  inputs: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>>,
  former?: Readonly<Record<string, string>>,
) {
  const written = Object.entries(inputs).map(([key, value]) => `      ${key}: ${JSON.stringify(value)}\n`);
  const text = `package:\n  name: p\npipeline:\n  - uses: bump\n    with:\n${written.join('')}  - runs: make\n`;
  const steps = pinSteps(readRecipeDocument(text));
  const verdicts = judgePins(steps, reader(files));
  const { edits, notes } =
    verdicts.asksFormer && former !== undefined ? judgePins(steps, reader(files), reader(former)) : verdicts;
  const after = readRecipeDocument(editPins(text, edits)).document.toJS() as {
    pipeline: { uses?: string; with?: Record<string, string> }[];
  };
  return { left: after.pipeline[0]?.with, notes };
}

const mod = (...lines: string[]) => `module m\ngo 1.24\n${lines.join('\n')}\n`;
const pinned = `${crypto}@v0.45.0`;

describe('a Go pin', () => {
  test.each(['v0.45.0', 'v0.46.0', 'v0.45.1-0.20260101000000-abcdefabcdef', 'v1.0.0'])(
    'goes when the release requires %s',
    (version) => {
      const { left, notes } = at({ deps: pinned }, { 'go.mod': mod(`require ${crypto} ${version} // indirect`) });
      expect(left).toBeUndefined();
      expect(notes).toEqual([`Dropped ${pinned}: go.mod requires ${version}`]);
    },
  );

  test.each(['v0.44.9', 'v0.45.0-rc.1', 'v0.0.0-20260101000000-abcdefabcdef'])(
    'stays without a word when the release requires only %s',
    (version) => {
      const result = at({ deps: pinned }, { 'go.mod': mod(`require ${crypto} ${version}`) });
      expect(result).toEqual({ left: { deps: pinned }, notes: [] });
    },
  );

  test.each([
    ['nothing of it', mod('require a.test/b v1.0.0'), 'go.mod does not name it'],
    ['a branch', mod(`require ${crypto} master`), 'go.mod requires master, which has no order with it'],
    [
      'a version that it excludes',
      mod(`require ${crypto} v0.50.0`, `exclude ${crypto} v0.50.0`),
      'go.mod excludes the v0.50.0 that it requires',
    ],
    [
      'a fork',
      mod(`require ${crypto} v0.50.0`, `replace ${crypto} => x.test/fork v0.60.0`),
      'go.mod replaces it by something else',
    ],
    [
      'a folder',
      mod(`require ${crypto} v0.50.0`, `replace ${crypto} => ./crypto`),
      'go.mod replaces it by something else',
    ],
    [
      'one version replaced',
      mod(`require ${crypto} v0.50.0`, `replace ${crypto} v0.50.0 => ${crypto} v0.44.0`),
      'go.mod replaces it by something else',
    ],
    ['another major version', mod(`require ${crypto}/v2 v2.0.0`), 'go.mod does not name it'],
  ])('stays, and says so, when the release has %s', (_, text, why) => {
    expect(at({ deps: pinned }, { 'go.mod': text })).toEqual({
      left: { deps: pinned },
      notes: [`Kept ${pinned}: ${why}`],
    });
  });

  test('is compared with what upstream replaces it by, not with what it requires', () => {
    const low = mod(`require ${crypto} v0.50.0`, `replace ${crypto} => ${crypto} v0.44.0`);
    expect(at({ deps: pinned }, { 'go.mod': low })).toEqual({ left: { deps: pinned }, notes: [] });
    const high = mod(`require ${crypto} v0.40.0`, `replace ${crypto} => ${crypto} v0.47.0`);
    expect(at({ deps: pinned }, { 'go.mod': high }).notes).toEqual([
      `Dropped ${pinned}: go.mod replaces it by v0.47.0`,
    ]);
  });

  test('stays when a workspace above replaces it', () => {
    const files = {
      'a/b/go.mod': mod(`require ${crypto} v0.50.0`),
      'a/go.work': `use ./b\nreplace ${crypto} => x.test/y v1.0.0\n`,
    };
    expect(at({ deps: pinned, modroot: 'a/b' }, files).notes).toEqual([`Kept ${pinned}: a/go.work replaces it`]);
  });

  test('`+incompatible` is not part of the order', () => {
    const docker = 'github.com/docker/docker@v28.3.3';
    const files = { 'go.mod': mod('require github.com/docker/docker v28.3.3+incompatible') };
    expect(at({ deps: docker }, files).left).toBeUndefined();
  });

  test('goes alone: those beside it that are needed stay', () => {
    const files = { 'go.mod': mod('require (', `${crypto} v0.46.0`, 'a.test/a v1.0.0', ')') };
    expect(at({ deps: `a.test/a@v1.2.0 ${pinned}` }, files)).toEqual({
      left: { deps: 'a.test/a@v1.2.0' },
      notes: [`Dropped ${pinned}: go.mod requires v0.46.0`],
    });
  });

  test('of no version that Go orders stays', () => {
    const files = { 'go.mod': mod(`require ${crypto} v0.50.0`) };
    expect(at({ deps: `${crypto}@v0 ${crypto}@latest a@v1.0.0` }, files).notes).toEqual([
      `Kept ${crypto}@v0: go.mod requires v0.50.0, which has no order with it`,
      `Kept ${crypto}@latest: it is no pin that regrow can compare`,
      'Kept a@v1.0.0: go.mod does not name it',
    ]);
  });
});

describe('a pin of several projects', () => {
  const inputs = { deps: pinned, modroot: '.\ntools' };
  const requires = (version: string) => mod(`require ${crypto} ${version}`);

  test('goes only when all of them have it', () => {
    const both = { 'go.mod': requires('v0.46.0'), 'tools/go.mod': requires('v0.45.0') };
    expect(at(inputs, both).notes).toEqual([
      `Dropped ${pinned}: go.mod requires v0.46.0, tools/go.mod requires v0.45.0`,
    ]);
  });

  test('stays when one of them is gone', () => {
    expect(at(inputs, { 'go.mod': requires('v0.46.0') })).toEqual({
      left: inputs,
      notes: [`Kept ${pinned}: tools/go.mod is not in the release`],
    });
  });

  test('is raised to the most that one of them requires when another has less', () => {
    const files = { 'go.mod': requires('v0.46.0'), 'tools/go.mod': requires('v0.40.0') };
    expect(at(inputs, files)).toEqual({
      left: { ...inputs, deps: `${crypto}@v0.46.0` },
      notes: [`Raised ${pinned} to v0.46.0: go.mod requires v0.46.0, tools/go.mod requires v0.40.0`],
    });
  });

  test('is not about those whose go.mod names all that they use, and not this', () => {
    const files = (go: string) => ({ 'go.mod': requires('v0.46.0'), 'tools/go.mod': `module t\ngo ${go}\n` });
    for (const go of ['1.17', '1.24.0', '2.0']) {
      expect(at(inputs, files(go)).notes).toEqual([`Dropped ${pinned}: go.mod requires v0.46.0`]);
    }
    expect(at(inputs, files('1.16')).notes).toEqual([`Kept ${pinned}: tools/go.mod does not name it`]);
    expect(at(inputs, { ...files('1.24'), 'go.mod': mod() }).notes).toEqual([
      `Kept ${pinned}: go.mod does not name it, tools/go.mod does not name it`,
    ]);
  });

  test('stays when one has just it and another less', () => {
    const files = { 'go.mod': requires('v0.45.0'), 'tools/go.mod': requires('v0.40.0') };
    expect(at(inputs, files)).toEqual({ left: inputs, notes: [] });
  });
});

describe('a replacement', () => {
  const self = `${crypto}=${crypto}@v0.45.0`;
  const fork = 'a.test/a=b.test/b@v1.2.0';

  test('by a fork goes when upstream replaces by the same one at that version or later', () => {
    const files = (version: string) => ({ 'go.mod': mod(`replace a.test/a => b.test/b ${version}`) });
    expect(at({ replaces: fork }, files('v1.3.0')).left).toBeUndefined();
    expect(at({ replaces: fork }, files('v1.1.0'))).toEqual({ left: { replaces: fork }, notes: [] });
  });

  test('by a fork stays when upstream does not replace, whatever it requires', () => {
    const files = { 'go.mod': mod('require a.test/a v9.0.0') };
    expect(at({ replaces: fork }, files).notes).toEqual([`Kept ${fork}: go.mod does not replace it`]);
  });

  test('by itself goes at just that version', () => {
    expect(at({ replaces: self }, { 'go.mod': mod(`require ${crypto} v0.45.0`) }).left).toBeUndefined();
  });

  test('by itself goes when upstream asks for more and asked for less before: it was made to raise', () => {
    const files = (version: string) => ({ 'go.mod': mod(`require ${crypto} ${version}`) });
    expect(at({ replaces: self }, files('v0.46.0'), files('v0.44.0'))).toEqual({
      left: undefined,
      notes: [`Dropped ${self}: go.mod requires v0.46.0`],
    });
    const kept = {
      left: { replaces: self },
      notes: [`Kept ${self}: go.mod requires v0.46.0, which it may hold back on purpose`],
    };
    // It held back before, it was needed for nothing, or nobody knows.
    expect(at({ replaces: self }, files('v0.46.0'), files('v0.46.0'))).toEqual(kept);
    expect(at({ replaces: self }, files('v0.46.0'), files('v0.45.0'))).toEqual(kept);
    expect(at({ replaces: self }, files('v0.46.0'), {})).toEqual(kept);
    expect(at({ replaces: self }, files('v0.46.0'))).toEqual(kept);
  });
});

describe('a Rust pin', () => {
  const lock = (...versions: string[]) => ({
    'Cargo.lock': versions.map((version) => `[[package]]\nname = "rand"\nversion = "${version}"\n`).join(''),
  });

  test('is about the line of versions that it is on', () => {
    expect(at({ deps: 'rand@0.9.3' }, lock('0.8.5', '0.9.4')).notes).toEqual([
      'Dropped rand@0.9.3: Cargo.lock has 0.9.4',
    ]);
    expect(at({ deps: 'rand@0.9.3' }, lock('0.9.2', '0.10.1'))).toEqual({ left: { deps: 'rand@0.9.3' }, notes: [] });
  });

  test('on no line that is there is about all of them', () => {
    expect(at({ deps: 'rand@0.9.3' }, lock('0.10.1', '0.11.0')).left).toBeUndefined();
    expect(at({ deps: 'rand@0.9.3' }, lock('0.8.5', '0.10.1'))).toEqual({ left: { deps: 'rand@0.9.3' }, notes: [] });
  });

  test('stays, and says so, when the lock is gone, is none, or has no such crate', () => {
    expect(at({ deps: 'rand@0.9.3' }, {}).notes).toEqual(['Kept rand@0.9.3: Cargo.lock is not in the release']);
    expect(at({ deps: 'rand@0.9.3' }, { 'Cargo.lock': '<html>' }).notes).toEqual([
      'Kept rand@0.9.3: Cargo.lock cannot be read',
    ]);
    expect(at({ deps: 'bytes@1.0.0' }, lock('0.9.0')).notes).toEqual([
      'Kept bytes@1.0.0: Cargo.lock does not give a version of it',
    ]);
  });
});

describe('a Maven pin', () => {
  const pom = (version: string) =>
    `<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId>${version}</dependency></dependencies></project>`;

  test('goes when the pom itself gives that version or a later one', () => {
    expect(at({ deps: 'g@a@4.1.94.Final' }, { 'pom.xml': pom('<version>4.1.137.Final</version>') }).notes).toEqual([
      'Dropped g@a@4.1.94.Final: pom.xml has 4.1.137.Final',
    ]);
    const inputs = { deps: 'g@a@4.2', manifest: 'bom.xml', modroot: 'x' };
    expect(at(inputs, { 'bom.xml': pom('<version>4.1</version>') })).toEqual({ left: inputs, notes: [] });
  });

  test.each([
    ['leaves it to a parent', pom(''), 'pom.xml does not give a version of it'],
    ['takes a property of a parent', pom('<version>${v}</version>'), 'pom.xml leaves its version to a parent'],
    [
      'has one of doubtful order',
      pom('<version>2.0-beta1</version>'),
      'pom.xml has 2.0-beta1, which has no order with it',
    ],
  ])('stays when the pom %s', (_, text, why) => {
    expect(at({ deps: 'g@a@1.0' }, { 'pom.xml': text }).notes).toEqual([`Kept g@a@1.0: ${why}`]);
  });
});

test.each(['deps.yaml', 'urllib3==2.7.0', 'a.test/a@${{vars.v}}'])('%s stays, and the proposal says so', (deps) => {
  expect(at({ deps }, {})).toEqual({ left: { deps }, notes: [`Kept ${deps}: it is no pin that regrow can compare`] });
});

test('many pins with one reason are one sentence', () => {
  const pins = Array.from({ length: 11 }, (_, i) => `c${i}@1.0.0`);
  expect(at({ deps: pins.join(' ') }, {}).notes).toEqual([
    `Kept ${pins.slice(0, 8).join(', ')} and 3 more: Cargo.lock is not in the release`,
  ]);
});

test('only files of the languages that are pinned are asked for', () => {
  const steps = (deps: string) =>
    pinSteps(
      readRecipeDocument(
        `pipeline:\n  - uses: bump\n    with:\n      deps: ${deps}\n      modroot: a/b\n  - runs: x\n`,
      ),
    );
  expect(manifestsOf(steps('a.test/a@v1.0.0'))).toEqual(['a/b/go.mod', 'a/b/go.work', 'a/go.work', 'go.work']);
  expect(manifestsOf(steps('rand@1.0.0'))).toEqual(['a/b/Cargo.lock']);
  expect(manifestsOf(steps('g@a@1'))).toEqual(['a/b/pom.xml']);
});
