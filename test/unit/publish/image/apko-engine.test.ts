import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createExec } from '../../../../src/adapters/exec.ts';
import { createSandbox } from '../../../../src/adapters/sandbox.ts';
import { createWorkspaces } from '../../../../src/adapters/workspace.ts';
import { createThrowAwayKey } from '../../../../src/build/melange/throw-away-key.ts';
import { RegrowError } from '../../../../src/errors.ts';
import { readGzipMember } from '../../../../src/formats/gzip.ts';
import { digestHex } from '../../../../src/formats/oci.ts';
import type { TarEntry } from '../../../../src/formats/tar.ts';
import { readTar, type TarReadEntry } from '../../../../src/formats/tar-reader.ts';
import { sha256 } from '../../../../src/model/canonical.ts';
import { parseImageDefinition } from '../../../../src/model/image-definition.ts';
import type { Arch } from '../../../../src/model/target.ts';
import {
  type AssembledImage,
  assembleImage,
  buildWithApko,
  commandOf,
  proveImage,
} from '../../../../src/publish/image/index.ts';
import { createMemoryObjects } from '../../../fakes/memory-objects.ts';
import { apkFile } from '../../../support/apk-file.ts';
import { engineOrSkip } from '../../../support/engines.ts';
import { liar, publishForProof } from '../../../support/image-liar.ts';
import { createTestSigner } from '../../../support/test-signer.ts';

const apko = await engineOrSkip('apko');
const folder = mkdtempSync(join(tmpdir(), 'regrow-apko-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const exec = createExec();
const sandbox = createSandbox({ exec });
const trusted = createTestSigner('box');
const limits = { timeout: 60_000, outputLimit: 1024 ** 2, processLimit: 1024 };

const base = (arch: Arch) =>
  apkFile(
    'base-1.0-r0',
    {
      bin: '-> usr/bin',
      lib: '-> usr/lib',
      'usr/bin': { directory: 0o755 },
      'usr/lib/os-release': 'ID=box\nNAME="Box Linux"\nVERSION_ID=3\n',
      'etc/os-release': '-> ../usr/lib/os-release',
      'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
      'etc/group': 'root:x:0:\nstaff:x:50:\n',
      'etc/ssl/certs/ca-certificates.crt': 'bundle\n',
      tmp: { directory: 0o1777 },
    },
    { arch, size: 100, buildDate: 1_700_000_000 },
  );

const tool = (arch: Arch) =>
  apkFile(
    'tool-2.0-r1',
    {
      'bin/tool': { text: '#!/bin/sh\necho it runs\n', mode: 0o755 },
      'usr/bin/alias': '-> tool',
      'usr/bin/again': '=> bin/tool',
      'usr/share/tool/data': 'data',
      'srv/hidden': { directory: 0o700 },
    },
    {
      arch,
      origin: 'tools',
      size: 400,
      depends: ['base'],
      provides: ['cmd:tool=2.0-r1'],
      replaces: ['old'],
      triggers: ['/usr/lib/*'],
    },
    { trigger: '#!/bin/sh\n', 'post-install': '#!/bin/sh\nexit 1\n' },
  );

const definition = `contents:
  packages: [tool]
  repositories: [https://apk.example.test/os]
entrypoint: {command: /usr/bin/tool}
cmd: now
accounts:
  run-as: web
  users: [{username: web, uid: 65532}]
  groups: [{groupname: web, gid: 65532}]
paths:
  - {path: /data, type: directory, uid: 65532, gid: 65532, permissions: 0o2750}
  - {path: /usr/share/tool/data, type: permissions, permissions: 0o600}
environment: {LANG: C}
annotations: {org.example: x}
`;

async function packagesFor(arch: Arch, ...more: readonly Uint8Array[]) {
  return [await base(arch), await tool(arch), ...more];
}

async function make(
  text: string,
  packages: readonly Uint8Array[],
  arch: Arch = 'x86_64',
  name = 'work',
  signal: AbortSignal = new AbortController().signal,
) {
  const input = {
    name: 'i',
    target: { arch, libc: 'gnu' } as const,
    packages,
    keys: [{ name: trusted.keyName, pem: trusted.publicKey }],
    sourceDateEpoch: 1_700_000_000,
  };
  const workspaces = createWorkspaces({ directory: join(folder, name), exec });
  const ports = { sandbox, workspaces, program: apko, signer: createThrowAwayKey };
  const file = { path: 'i.yaml', text };
  return {
    input,
    apko: await buildWithApko({ ...input, tag: 'latest', file }, ports, limits, signal),
  };
}

/** The tar entries of the layers, the last of each path, devices left out. */
function filesOf(image: AssembledImage): ReadonlyMap<string, TarReadEntry> {
  const manifest = JSON.parse(Buffer.from(image.blobs.get(digestHex(image.manifest)) ?? []).toString()) as {
    layers: { digest: string }[];
  };
  const layers = manifest.layers.map((layer) => image.blobs.get(digestHex(layer)) ?? new Uint8Array());
  return new Map(
    layers.flatMap((layer) =>
      readTar(readGzipMember(layer).content, { devices: 'skip' }).entries.map((entry) => [entry.path, entry] as const),
    ),
  );
}

function text(image: AssembledImage, path: string): string {
  return Buffer.from(filesOf(image).get(path)?.content ?? []).toString();
}

/** A file as it is put into the image: kind, mode, owner, where it links to, and what is in it. */
function lines(image: AssembledImage): ReadonlyMap<string, string> {
  const files = filesOf(image);
  return new Map(
    [...files].map(([path, entry]) => {
      // A hard link is the file that it shares.
      const file = entry.type === 'hardlink' ? (files.get(entry.link ?? '') ?? entry) : entry;
      const { uid, gid } = file.owner ?? { uid: 0, gid: 0 };
      const content = file.type === 'file' ? sha256(file.content).slice(0, 8) : '';
      return [path, `${entry.type} ${file.mode.toString(8)} ${uid}:${gid} ${entry.link ?? content}`.trim()];
    }),
  );
}

/** The installed database: of each package what it is and the hash of each of its files. */
function installed(image: AssembledImage) {
  return text(image, 'usr/lib/apk/db/installed')
    .split('\n\n')
    .filter((entry) => entry !== '')
    .map((entry) => {
      let directory = '';
      let file = '';
      const fields: Record<string, string> = {};
      const files: Record<string, string> = {};
      for (const line of entry.split('\n')) {
        const [key, value] = [line.slice(0, 1), line.slice(2)];
        if (key === 'F') directory = value;
        else if (key === 'R') file = directory === '' ? value : `${directory}/${value}`;
        else if (key === 'Z') files[file] = value;
        else if ('CPVAIoDprt'.includes(key) && value !== '') fields[key] = value;
      }
      return { fields, files };
    })
    .toSorted((a, b) => ((a.fields['P'] ?? '') < (b.fields['P'] ?? '') ? -1 : 1));
}

/** The sample image as each of them makes it; made once. */
const both = once(async () => {
  const made = await make(definition, await packagesFor('x86_64'));
  const parsed = parseImageDefinition('i.yaml', definition);
  return { made, own: await assembleImage({ ...made.input, definition: parsed.definition }) };
});

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => (promise ??= work());
}

describe.skipIf(apko === undefined)('apko and the assembler, on the same packages and definition', () => {
  test('put the same files into the image, but for what docs/images.md lists', async () => {
    const { made, own } = await both();
    const [theirs, ours] = [lines(made.apko), lines(own)];
    const only = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>) =>
      [...a.keys()].filter((path) => !b.has(path)).toSorted();
    expect(only(ours, theirs)).toEqual(['run', 'sys', 'var/tmp']);
    expect(only(theirs, ours)).toEqual([
      'etc/apko.json',
      'etc/shadow',
      'etc/ssl/certs/.ca-certificates.crt.sha256',
      'opt',
      'usr/lib/apk/exec',
      'var/cache',
      'var/cache/apk',
      'var/cache/misc',
    ]);
    const other = [...ours].filter(([path, line]) => theirs.has(path) && theirs.get(path) !== line);
    expect(other.map(([path]) => path).toSorted()).toEqual([
      'etc/apk/world',
      'etc/passwd',
      'home/web',
      'usr/bin/again',
      'usr/lib/apk/db/installed',
      'usr/lib/apk/db/scripts.tar',
    ]);
  });

  test('write the same packages and files into the installed database, the same triggers, keys and repositories', async () => {
    const { made, own } = await both();
    const [theirs, ours] = [installed(made.apko), installed(own)];
    expect(ours.map(({ fields }) => fields)).toEqual(theirs.map(({ fields }) => fields));
    const hashed = (entries: typeof ours) =>
      entries.map(({ fields, files }) => [fields['P'], Object.entries(files).toSorted()]);
    // apko has the path of the package where /bin is a link, no hash for a hard link, and what the image itself has written since.
    const asOurs = theirs.map(({ fields, files }) => {
      const paths = Object.entries(files).map(([path, hash]): [string, string] => [
        path.replace(/^bin\//, 'usr/bin/'),
        hash,
      ]);
      const kept = new Map(paths.filter(([path]) => !['etc/passwd', 'etc/group'].includes(path)));
      const tool = kept.get('usr/bin/tool');
      if (tool !== undefined) kept.set('usr/bin/again', tool);
      return { fields, files: Object.fromEntries(kept) };
    });
    expect(hashed(ours)).toEqual(hashed(asOurs));
    for (const path of [
      'usr/lib/apk/db/triggers',
      'etc/apk/arch',
      'etc/apk/repositories',
      `etc/apk/keys/${trusted.keyName}`,
    ])
      expect([path, text(made.apko, path)]).toEqual([path, text(own, path)]);
    expect([text(own, 'etc/apk/world'), text(made.apko, 'etc/apk/world')]).toEqual([
      'tool=2.0-r1\n',
      'base=1.0-r0\ntool=2.0-r1\n',
    ]);
  });

  test('have the same command, environment and packages; apko leaves the group of the user to the runtime', async () => {
    const { made, own } = await both();
    expect(made.apko.packages).toEqual(own.packages);
    expect([own.process.User, made.apko.process.User]).toEqual(['65532:65532', '65532']);
    const [theirs, ours] = [commandOf(made.apko.process), commandOf(own.process)];
    expect(theirs?.argv).toEqual(ours?.argv);
    expect(theirs?.cwd).toBe(ours?.cwd);
    const folders = (path = '') => path.split(':').toSorted();
    expect({ ...theirs?.env, PATH: folders(theirs?.env['PATH']) }).toEqual({
      ...ours?.env,
      PATH: folders(ours?.env['PATH']),
    });
  });
});

describe.skipIf(apko === undefined)('an image that apko makes', () => {
  test('is the same in another folder, with another throw-away key, on another architecture but for it', async () => {
    const layered = `${definition}layering: {strategy: origin, budget: 3}\n`;
    const first = await make(layered, await packagesFor('x86_64'));
    const second = await make(layered, await packagesFor('x86_64'), 'x86_64', 'another/folder');
    expect(second.apko.manifest).toEqual(first.apko.manifest);
    expect(second.apko.sbom).toEqual(first.apko.sbom);
    for (const [hex, bytes] of first.apko.blobs) expect(sha256(bytes)).toBe(hex);
    const foreign = await make(layered, await packagesFor('aarch64'), 'aarch64');
    expect(foreign.apko.manifest.platform).toEqual({ os: 'linux', architecture: 'arm64' });
    expect([...lines(foreign.apko).keys()]).toEqual([...lines(first.apko).keys()]);
    expect(text(first.apko, 'etc/apko.json')).not.toContain(folder);
    expect(readdirSync(join(folder, 'work')).filter((name) => name.startsWith('apko'))).toEqual([]);
  });

  test('has what the assembler cannot do: services, certificates, other keys at run time', async () => {
    const other = createTestSigner('other');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const certificate = await selfSigned(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    const yaml = JSON.stringify({
      contents: { packages: ['tool'], runtime_keyring: [{ name: other.keyName, content: other.publicKey }] },
      entrypoint: { type: 'service-bundle', services: { web: '/usr/bin/tool serve' } },
      certificates: { additional: [{ name: 'own', content: certificate }] },
    });
    const { definition: parsed, engine } = parseImageDefinition('i.yaml', yaml, 'auto');
    expect([engine, parsed.packages]).toEqual(['apko', ['tool', 's6']]);
    const s6 = await apkFile('s6-2.1-r0', { 'usr/bin/s6-svscan': { text: 'scan', mode: 0o755 } });
    const { apko: image } = await make(yaml, await packagesFor('x86_64', s6));
    expect(image.process.Entrypoint).toEqual(parsed.entrypoint);
    expect(text(image, 'sv/web/run')).toContain('/usr/bin/tool serve');
    expect(text(image, 'etc/ssl/certs/ca-certificates.crt')).toContain(certificate.trim());
    expect(text(image, `etc/apk/keys/${other.keyName}`)).toBe(other.publicKey);
  });

  test('is refused with what apko said of it', async () => {
    const yaml = `${definition}volumes: [/data]\n`
      .replace('type: directory', 'type: symlink, source: /x')
      .replace('/data,', '/etc/os-release,');
    await expect(make(yaml, await packagesFor('x86_64'))).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringContaining('"/etc/os-release"'),
    });
  });

  test('is given up when its builder stops, and leaves nothing behind', async () => {
    const stop = new AbortController();
    const making = make(definition, await packagesFor('x86_64'), 'x86_64', 'stopped', stop.signal);
    setTimeout(() => stop.abort(), 100);
    await expect(making).rejects.toMatchObject({ code: 'aborted', retry: 'now' });
    expect(readdirSync(join(folder, 'stopped')).filter((name) => name.startsWith('apko'))).toEqual([]);
  });

  test('is not made of packages that do not go together', async () => {
    await expect(make(definition, [await tool('x86_64')])).rejects.toThrow('nothing provides "base"');
  });
});

describe.skipIf(apko === undefined)('an image that a builder says apko made', () => {
  /** The request for an image of packages that are published, and a builder that stores what apko made of it, or something else. */
  async function told(text: string, packages: readonly Uint8Array[], name = 'proof') {
    const objects = createMemoryObjects();
    const { apko: made, input } = await make(text, packages, 'x86_64', name);
    const file = { path: 'i.yaml', text };
    const { keys } = input;
    const image = await publishForProof(objects, packages, file, { engine: 'apko', keys: [...keys] });
    const lie = liar(objects, made, packages);
    return async (change: Parameters<typeof lie.index>[0]) =>
      proveImage(objects, { image, index: await lie.index(change) });
  }
  const other = createTestSigner('other');
  const busybox = () => apkFile('busybox-1.36.1-r0', { 'usr/bin/busybox': { text: 'bb', mode: 0o755 } });
  const libraries = () =>
    apkFile('libs-1-r0', {
      'etc/ld.so.conf': '/usr/lib\n',
      'usr/lib/libz.so.1.2': { text: sharedObject(), mode: 0o755 },
      'usr/lib/libz.so.1': '-> libz.so.1.2',
    });

  test('is proven where apko made it: layered, with busybox, libraries, accounts and paths', async () => {
    const plain = await told(definition, await packagesFor('x86_64'));
    await expect(plain({})).resolves.toBeUndefined();
    const alone = await told('contents: {packages: [alone]}', [await apkFile('alone-1-r0', { 'usr/bin/alone': 'x' })]);
    await expect(alone({})).resolves.toBeUndefined();
    const layered = `${definition}layering: {strategy: origin, budget: 3}\nwork-dir: /work/here\n`;
    const more = layered.replace(
      'paths:',
      'paths:\n  - {path: /empty, type: empty-file}\n  - {path: /dir, type: directory}',
    );
    const rich = await told(more, await packagesFor('x86_64', await busybox(), await libraries()));
    await expect(rich({})).resolves.toBeUndefined();
  });

  test('is proven where it has services, certificates and other keys', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const content = await selfSigned(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    const yaml = JSON.stringify({
      contents: { packages: ['tool'], runtime_keyring: [{ name: other.keyName, content: other.publicKey }] },
      entrypoint: { type: 'service-bundle', services: { web: '/usr/bin/tool serve' } },
      certificates: { additional: [{ name: 'own', content }] },
    });
    const s6 = await apkFile('s6-2.1-r0', { 'usr/bin/s6-svscan': { text: 'scan', mode: 0o755 } });
    const prove = await told(yaml, await packagesFor('x86_64', s6));
    await expect(prove({})).resolves.toBeUndefined();
  });

  test('is refused with anything else in it, named by layer and path', async () => {
    const layered = `${definition}layering: {strategy: origin, budget: 3}\n`;
    const prove = await told(layered, await packagesFor('x86_64', await busybox(), await libraries()));
    const file = (path: string, more: Partial<TarEntry> = {}): TarEntry => ({
      path,
      type: 'file',
      mode: 0o644,
      content: Buffer.from('evil'),
      ...more,
    });
    const lies: [string, Parameters<typeof prove>[0], RegExp][] = [];
    const add = (entry: TarEntry, message: RegExp) =>
      lies.push([`${entry.path} more`, { last: (entries) => [...entries, entry] }, message]);
    add(file('usr/bin/backdoor', { mode: 0o755 }), /\/usr\/bin\/backdoor in its layer sha256:\w+ is of none/);
    add(file('etc/.wh.os-release'), /is of none of its packages/);
    add(file('usr/bin/tool', { mode: 0o755 }), /\/usr\/bin\/tool in its layer sha256:\w+ has other bytes/);
    add(file('etc/apk/keys/evil.rsa.pub'), /is of none of its packages/);
    add(file('etc/ld.so.preload'), /is of none of its packages/);
    add(file('usr/bin/linky', { type: 'symlink', link: '/usr/bin/tool', content: new Uint8Array() }), /is of none/);
    add(file('usr/share/x', { type: 'symlink', link: '/bin/busybox', content: new Uint8Array() }), /is of none/);
    add(file('usr/bin/hard', { type: 'hardlink', link: 'usr/bin/tool', content: new Uint8Array() }), /is of none/);
    add(file('opt/x', { type: 'directory', mode: 0o777, content: new Uint8Array() }), /is of none/);
    const change = (path: string, more: Partial<TarEntry>, message: RegExp, where: 'layer' | 'last' = 'layer') =>
      lies.push([
        `${path} ${JSON.stringify(more).slice(0, 40)}`,
        {
          [where]: (entries: readonly TarEntry[]) =>
            entries.map((one) => (one.path === path ? { ...one, ...more } : one)),
        },
        message,
      ]);
    change(
      'usr/bin/tool',
      { content: Buffer.from('evil') },
      /\/usr\/bin\/tool in its layer sha256:\w+ has other bytes/,
    );
    change('usr/bin/tool', { mode: 0o4755 }, /has the rights 4755 0:0, not 755 0:0/);
    change(
      'usr/bin/tool',
      { pax: { 'SCHILY.xattr.security.capability': 'x' } },
      /has the PAX record SCHILY.xattr.security.capability/,
    );
    change('usr/bin/again', { link: 'usr/bin/busybox' }, /\/usr\/bin\/again in its layer sha256:\w+ is a hard link to/);
    change('usr/bin/again', { mode: 0o4755 }, /again in its layer sha256:\w+ has the rights 4755 0:0/);
    change('usr/bin/tool', { pax: { uid: '65532' } }, /has the PAX record uid/);
    change('usr/bin/alias', { link: '/data/x' }, /leads to \/data\/x, not to tool/);
    change('home/web', { mode: 0o4777 }, /home\/web in its layer sha256:\w+ has the rights 4777/, 'last');
    const text = (path: string, from: string | RegExp, to: string, message: RegExp) =>
      lies.push([
        `${path} ${to}`,
        {
          last: (entries) =>
            entries.map((one) =>
              one.path === path
                ? {
                    ...one,
                    content: Buffer.from(
                      Buffer.from(one.content ?? [])
                        .toString('latin1')
                        .replace(from, to),
                      'latin1',
                    ),
                  }
                : one,
            ),
        },
        message,
      ]);
    const installed = 'usr/lib/apk/db/installed';
    text(
      installed,
      'V:2.0-r1',
      'V:9.0-r1',
      /installed in its layer sha256:\w+ names tool 9.0-r1 Q1\S+, which is none of its/,
    );
    text(installed, /P:busybox[^]*?\n\n/, '', /does not name busybox/);
    text(installed, /C:Q1./, 'C:Q1_', /which is none of its packages/);
    text(installed, /R:data\nZ:Q1./, 'R:data\nZ:Q1_', /says of tool that \/usr\/share\/tool\/data has the hash/);
    text(installed, 'R:data', 'R:dato', /says of tool that \/usr\/share\/tool\/dato is its/);
    text('etc/apk/world', 'tool=2.0-r1', 'tool=9.0-r1', /world in its layer sha256:\w+ is not what apko writes/);
    text('etc/apk/repositories', 'apk.example', 'evil.example', /repositories in its layer sha256:\w+ is not what/);
    text('etc/shadow', 'web:!:', 'web::', /shadow in its layer sha256:\w+ is not what apko writes/);
    text('etc/apko.json', 'apk.example', 'evil.example', /apko.json in its layer sha256:\w+ says "https:\/\/evil/);
    text('etc/ld.so.cache', '/usr/lib/libz', '/tmp/lib/libz', /ld.so.cache in its layer sha256:\w+ has /);
    text('usr/lib/apk/db/scripts.tar', /exit 1/, 'exit 0', /scripts.tar in its layer sha256:\w+ has a script/);
    lies.push([
      'config',
      { config: (json) => json.replace('"/usr/bin/tool"', '"/usr/bin/sh"') },
      /Entrypoint in its conf/,
    ]);
    lies.push([
      'config',
      { config: (json) => json.replace('"User":"65532"', '"User":"0"') },
      /User in its configuration/,
    ]);
    lies.push([
      'config',
      { config: (json) => json.replace('"User"', '"Healthcheck":{},"User"') },
      /is not one of apko/,
    ]);
    lies.push(['sbom', { sbom: (json) => json.replace('"tool"', '"other"') }, /the SBOM sha256:\w+ .* is not the one/]);
    for (const [what, lie, message] of lies) {
      const outcome = await prove(lie).then(
        () => 'proven',
        (thrown: unknown) => (thrown instanceof RegrowError ? `${thrown.code} ${thrown.message}` : String(thrown)),
      );
      expect([what, outcome]).toEqual([what, expect.stringMatching(message)]);
      expect([what, outcome]).toEqual([what, expect.stringMatching(/^image\.invalid /)]);
    }
    await prove({});
  });
});

/** A small library of this machine's own compiler, with a soname. */
function sharedObject(): Uint8Array {
  const directory = mkdtempSync(join(folder, 'so-'));
  writeFileSync(join(directory, 'z.c'), 'int z(void) { return 0; }\n');
  const output = join(directory, 'libz.so.1.2');
  execFileSync('gcc', ['-shared', '-nostdlib', '-s', '-Wl,-soname,libz.so.1', '-o', output, join(directory, 'z.c')]);
  return readFileSync(output);
}

async function selfSigned(key: string): Promise<string> {
  const directory = mkdtempSync(join(folder, 'cert-'));
  writeFileSync(join(directory, 'key'), key);
  const options = ['-key', join(directory, 'key'), '-subj', '/CN=own', '-days', '3650'];
  const argv = ['openssl', 'req', '-x509', '-new', ...options] as const;
  const { stdout } = await exec.run({ argv, env: { PATH: '/usr/bin:/bin' } });
  return Buffer.from(stdout).toString();
}
