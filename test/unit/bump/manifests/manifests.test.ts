import { describe, expect, test } from 'vitest';
import { areCompatible, compareCargoVersions, readCargoLock } from '../../../../src/bump/manifests/cargo-lock.ts';
import { compareGoVersions, readGoMod } from '../../../../src/bump/manifests/go-mod.ts';
import { compareMavenVersions, readPom } from '../../../../src/bump/manifests/pom.ts';

describe('go.mod', () => {
  test('gives requirements, replacements and exclusions, in blocks and alone, quoted and with comments', () => {
    const mod = readGoMod(`module example.test/m // the module
go 1.24.0
toolchain go1.24.7
require golang.org/x/text v0.30.0
require (
	golang.org/x/crypto v0.46.0 // indirect
	// golang.org/x/net v9.9.9
	"example.test/quoted" v1.2.3
	example.test/https v1.0.0 // see https://example.test
)
exclude (
	golang.org/x/net v0.1.0
)
exclude golang.org/x/net v0.2.0
replace (
	example.test/a => ../a
	example.test/b v1.0.0 => example.test/c v1.1.0
)
replace example.test/d => example.test/d v1.4.0
retract [v1.0.0, v1.0.5]
tool example.test/tool
`);
    expect(Object.fromEntries(mod.requires)).toEqual({
      'golang.org/x/text': 'v0.30.0',
      'golang.org/x/crypto': 'v0.46.0',
      'example.test/quoted': 'v1.2.3',
      'example.test/https': 'v1.0.0',
    });
    expect([...mod.excludes]).toEqual(['golang.org/x/net@v0.1.0', 'golang.org/x/net@v0.2.0']);
    expect(mod.replaces).toEqual([
      { module: 'example.test/a', by: '../a' },
      { module: 'example.test/b', version: 'v1.0.0', by: 'example.test/c', byVersion: 'v1.1.0' },
      { module: 'example.test/d', by: 'example.test/d', byVersion: 'v1.4.0' },
    ]);
  });

  test('is read with Windows line ends, and takes the highest of what is named twice, as Go does', () => {
    const mod = readGoMod(
      'module m\r\nrequire (\r\n\ta.test/x v1.2.0\r\n\ta.test/x v1.3.0\r\n\ta.test/x v1.1.0\r\n)\r\n',
    );
    expect([...mod.requires]).toEqual([['a.test/x', 'v1.3.0']]);
  });

  test.each([
    ['v0.45.0', 'v0.46.0', -1],
    ['v1.10.0', 'v1.9.0', 1],
    ['v28.0.0', 'v28.0.0+incompatible', 0],
    ['v1.0.0', 'v1.0.1-0.20251009205813-e30ac6010726', -1],
    ['v0.1.5-0.20251009205813-e30ac6010726', 'v0.1.5', -1],
    ['v0.0.0-20240709083501-1af563b61442', 'v0.0.0-20250101000000-000000000000', -1],
    ['v1.0.0-rc.2', 'v1.0.0-rc.10', -1],
    ['v1', 'v1.2.3', undefined],
    ['latest', 'v1.2.3', undefined],
    ['1.2.3', 'v1.2.3', undefined],
    ['v1.2.3', 'main', undefined],
  ])('%s against %s is %s', (a, b, order) => {
    expect(compareGoVersions(a, b)).toBe(order);
  });
});

describe('Cargo.lock', () => {
  test('gives every version of a crate', () => {
    const lock = readCargoLock(`version = 4
[[package]]
name = "rand"
version = "0.8.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "rand"
version = "0.9.2"
dependencies = [ "rand_core 0.9.3" ]
`);
    expect(lock?.get('rand')).toEqual(['0.8.5', '0.9.2']);
    expect(readCargoLock('version = 4\n')?.size).toBe(0);
  });

  test('is not there where the text is something else', () => {
    expect(readCargoLock('<!doctype html>')).toBeUndefined();
    expect(readCargoLock('package = 3')).toBeUndefined();
  });

  test('versions are ordered, and compatible as `^` says', () => {
    expect(compareCargoVersions('0.11.14', '0.11.9')).toBe(1);
    expect(compareCargoVersions('1.0.0-alpha.2', '1.0.0')).toBe(-1);
    expect(compareCargoVersions('1.0', '1.0.0')).toBeUndefined();
    expect(areCompatible('1.2.3', '1.9.0')).toBe(true);
    expect(areCompatible('0.8.5', '0.9.2')).toBe(false);
    expect(areCompatible('0.8.5', '0.8.9')).toBe(true);
    expect(areCompatible('0.0.3', '0.0.4')).toBe(false);
    expect(areCompatible('x', '0.0.4')).toBe(false);
  });
});

describe('pom.xml', () => {
  const pom = (body: string) =>
    `<?xml version="1.0"?>\n<!-- c -->\n<project xmlns="http://maven.apache.org/POM/4.0.0">${body}</project>`;
  const dependency = (artifact: string, version?: string) =>
    `<dependency><groupId>g</groupId><artifactId>${artifact}</artifactId>${version === undefined ? '' : `<version>${version}</version>`}</dependency>`;

  test('gives versions of dependencies and managed ones, properties put in', () => {
    const versions = readPom(
      pom(`<version>9</version>
        <properties><netty>4.1.130.Final</netty><all>\${netty}</all></properties>
        <dependencyManagement><dependencies>
          ${dependency('netty', '${all}')}${dependency('both', '1.10')}
        </dependencies></dependencyManagement>
        <dependencies>
          ${dependency('netty')}${dependency('both', '1.9')}${dependency('own', '${project.version}')}
          ${dependency('parent', '${from.parent}')}${dependency('left')}
          <dependency><exclusions/></dependency>
        </dependencies>
        <profiles><profile><dependencies>${dependency('own', '1')}</dependencies></profile></profiles>`),
    );
    expect(versions?.get('g:netty')).toEqual(['4.1.130.Final']);
    expect(versions?.get('g:both')).toEqual(['1.10', '1.9']);
    expect(versions?.get('g:own')).toEqual(['9']);
    expect(versions?.get('g:parent')).toEqual(['']);
    expect(versions?.get('g:left')).toEqual([]);
  });

  test('one dependency is a list of one, none is none, and something else is no pom', () => {
    expect(readPom(pom(`<dependencies>${dependency('a', '1')}</dependencies>`))?.get('g:a')).toEqual(['1']);
    expect(readPom(pom('<dependencies/>'))?.size).toBe(0);
    expect(readPom(pom('<version>1</version>'))?.size).toBe(0);
    expect(readPom(pom(''))).toBeUndefined();
    expect(readPom('<html></html>')).toBeUndefined();
    expect(readPom('plain text')).toBeUndefined();
  });

  test('properties that go round, or grow without end, are nobody’s version', () => {
    const many = '${a}'.repeat(30);
    const text =
      pom(`<properties><a>${'${b}'.repeat(30)}</a><b>${'${c}'.repeat(30)}</b><c>1</c><r>\${r}</r></properties>
      <dependencies>${dependency('big', many)}${dependency('round', '${r}')}</dependencies>`);
    expect(readPom(text)?.get('g:big')).toEqual(['']);
    expect(readPom(text)?.get('g:round')).toEqual(['']);
  });

  test.each([
    ['4.1.94.Final', '4.1.137.Final', -1],
    ['1.10', '1.9', 1],
    ['1.0', '1', 0],
    ['1.2.Final', '1.2', 0],
    ['33.0-jre', '32.1-jre', 1],
    ['33.0-jre', '33.0-android', undefined],
    ['2.0-beta1', '2.0', undefined],
    ['2.0-SNAPSHOT', '2.0', undefined],
    ['${x}', '2.0', undefined],
  ])('%s against %s is %s', (a, b, order) => {
    expect(compareMavenVersions(a, b)).toBe(order);
  });
});
