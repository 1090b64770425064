import { describe, expect, test } from 'vitest';
import { parseImageDefinition } from '../../../src/model/image-definition.ts';
import { splitShellWords } from '../../../src/model/shell-words.ts';

function parse(rest: string, contents = 'contents: {packages: [curl]}\n') {
  return parseImageDefinition('images/a.yaml', contents + rest);
}

describe('parseImageDefinition', () => {
  test('reads the whole of an image', () => {
    const { definition, problems } = parseImageDefinition(
      'images/a.yaml',
      `contents:
  repositories: [https://a.test/os]
  build_repositories: [https://build.test/os]
  runtime_repositories: [https://b.test/os]
  packages: [curl, "libfoo=1.10-r0"]
entrypoint:
  command: /usr/bin/curl -s "a b"
cmd: --help
work-dir: /w
stop-signal: SIGQUIT
accounts:
  run-as: "65532"
  users: [{username: nonroot, uid: 65532, gid: 65532, shell: /bin/sh, homedir: /home/nonroot}]
  groups: [{groupname: nonroot, gid: 65532, members: [nonroot]}]
environment: {A: 1.10, B:}
paths: [{path: /data, type: directory, uid: 1, gid: 2, permissions: 0o755, recursive: yes}]
archs: [x86_64, arm64, arm/v7]
annotations: {a: b}
vcs-url: https://git.test/r
volumes: [/data]
layering: {strategy: origin, budget: 5}
format: tar
`,
    );
    expect(problems).toEqual([]);
    expect(definition).toEqual({
      packages: ['curl', 'libfoo=1.10-r0'],
      repositories: ['https://a.test/os', 'https://b.test/os'],
      entrypoint: ['/usr/bin/curl', '-s', 'a b'],
      cmd: ['--help'],
      workDirectory: '/w',
      stopSignal: 'SIGQUIT',
      environment: { A: '1.10', B: '' },
      runAs: '65532',
      users: [{ username: 'nonroot', uid: 65532, gid: 65532, shell: '/bin/sh', homedir: '/home/nonroot' }],
      groups: [{ groupname: 'nonroot', gid: 65532, members: ['nonroot'] }],
      paths: [{ path: '/data', type: 'directory', uid: 1, gid: 2, permissions: 0o755, recursive: true }],
      archs: ['x86_64', 'aarch64', 'armv7'],
      annotations: { a: 'b', 'org.opencontainers.image.source': 'https://git.test/r' },
      volumes: ['/data'],
      layers: 5,
      isSupervised: false,
    });
  });

  test('has sensible answers for what is left out', () => {
    expect(parse('').definition).toMatchObject({ entrypoint: [], cmd: [], archs: [], layers: 1, runAs: undefined });
    expect(parse('archs: [all]').definition.archs).toEqual([]);
    expect(parse('layering: {strategy: origin}').definition.layers).toBe(10);
    expect(parse('entrypoint: {shell-fragment: "echo $A"}').definition.entrypoint).toEqual([
      '/bin/sh',
      '-c',
      'echo $A',
    ]);
  });

  test('reports what it does not know or do, with its line', () => {
    const { problems } = parse('cmdd: x\n', 'contents:\n  packages: [a]\n  keyring: [https://a.test/k.rsa.pub]\n');
    expect(problems.map(({ path, line }) => [path, line])).toEqual([
      ['cmdd', 4],
      ['contents.keyring', 3],
    ]);
  });

  test.each([
    ['contents', '', 'contents.packages', 'there are none', 'cmd: x'],
    ['a package', 'contents: {packages: ["a b"]}\n', 'contents.packages.0', 'no package', ''],
    [
      'a base image',
      'contents: {packages: [a], baseimage: {image: x}}\n',
      'contents.baseimage',
      'cannot be extended',
      '',
    ],
    ['include', undefined, 'include', 'not included', 'include: x'],
    ['options', undefined, 'options', 'no options any more', 'options: {a: 1}'],
    ['format', undefined, 'format', 'erofs layers', 'format: erofs'],
    ['services', undefined, 'entrypoint', 'supervisor', 'entrypoint: {type: service-bundle}'],
    ['another type', undefined, 'entrypoint.type', 'no type', 'entrypoint: {type: magic}'],
    ['certificates', undefined, 'certificates', 'not put together', 'certificates: {providers: [ca]}'],
    [
      'runtime keys',
      'contents: {packages: [a], runtime_keyring: [{name: a.rsa.pub, content: PEM}]}\n',
      'contents.runtime_keyring',
      'not put in',
      '',
    ],
    ['two commands', undefined, 'entrypoint', 'shell-fragment', 'entrypoint: {command: a, shell-fragment: b}'],
    ['strategy', undefined, 'layering.strategy', 'no strategy', 'layering: {strategy: magic}'],
    ['budget', undefined, 'layering.budget', '0 layers', 'layering: {strategy: origin, budget: 0}'],
    ['a quote', undefined, 'entrypoint.command', 'not closed', `entrypoint: {command: "a 'b"}`],
    ['arch', undefined, 'archs.0', 'no architecture vax', 'archs: [vax]'],
    ['path', undefined, 'paths.0.path', 'leaves the root', 'paths: [{path: /../x, type: directory}]'],
    ['link', undefined, 'paths.0.source', 'leads nowhere', 'paths: [{path: /x, type: symlink}]'],
    ['rights', undefined, 'paths.0.permissions', 'does not say', 'paths: [{path: /x, type: permissions}]'],
    ['octal', undefined, 'paths.0.permissions', 'octal', 'paths: [{path: /x, type: directory, permissions: 755}]'],
    ['uid', undefined, 'accounts.users.0.uid', 'below', 'accounts: {users: [{username: a, uid: 4294967295}]}'],
  ])('refuses %s by its field, with a remedy', (_, contents, field, message, rest) => {
    expect(() => parse(rest, contents)).toThrow(
      expect.objectContaining({
        code: 'image.invalid',
        message: expect.stringContaining(message),
        where: expect.objectContaining({ file: 'images/a.yaml', field }),
        remedy: expect.any(String),
      }),
    );
  });

  test.each([
    ['a service bundle', 'entrypoint: {type: service-bundle, services: {web: /usr/bin/web}}'],
    ['certificates', 'certificates: {additional: [{name: own, content: PEM}]}'],
  ])('%s is for apko: the remedy says so, and auto chooses it', (_, rest) => {
    expect(() => parse(rest)).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining('set images.engine to auto or apko') }),
    );
    for (const engine of ['apko', 'auto'] as const)
      expect(parseImageDefinition('a.yaml', `contents: {packages: [curl]}\n${rest}`, engine).engine).toBe('apko');
  });

  test('auto leaves to regrow what regrow can do, and what apko cannot do either stays refused', () => {
    const text = 'contents: {packages: [curl]}\n';
    expect(parseImageDefinition('a.yaml', text, 'auto').engine).toBe('regrow');
    expect(parseImageDefinition('a.yaml', text, 'apko').engine).toBe('apko');
    for (const rest of ['include: x', 'format: erofs', 'layering: {strategy: magic}']) {
      for (const engine of ['apko', 'auto'] as const) {
        expect(() => parseImageDefinition('a.yaml', text + rest, engine)).toThrow(
          expect.objectContaining({ code: 'image.invalid', remedy: expect.not.stringContaining('apko') }),
        );
      }
    }
  });

  test('a service bundle has the supervisor that apko adds, and never ends', () => {
    const text =
      'contents: {packages: [curl]}\nentrypoint: {type: service-bundle, command: x, services: {web: /usr/bin/web}}\n';
    expect(parseImageDefinition('a.yaml', text, 'apko').definition).toMatchObject({
      packages: ['curl', 's6'],
      entrypoint: ['/bin/s6-svscan', '/sv'],
      isSupervised: true,
    });
  });

  test('refuses what is not YAML, or not a mapping', () => {
    for (const text of ['a: [', 'a: 1\na: 2\n', '', '- a']) {
      expect(() => parseImageDefinition('a.yaml', text)).toThrow(expect.objectContaining({ code: 'image.invalid' }));
    }
  });
});

describe('splitShellWords', () => {
  test.each([
    ['', []],
    ['  a  b\tc ', ['a', 'b', 'c']],
    [`a 'b "c' "d 'e"`, ['a', 'b "c', `d 'e`]],
    [`--x='a b'c`, ['--x=a bc']],
    [`"a\\"b\\c" d\\ e`, ['a"b\\c', 'd e']],
    [`'' ""`, ['', '']],
  ])('%s', (text, words) => {
    expect(splitShellWords(text)).toEqual(words);
  });

  test.each([`'a`, `"a\\"`, 'a\\'])('cannot read %s', (text) => {
    expect(splitShellWords(text)).toBeUndefined();
  });
});
