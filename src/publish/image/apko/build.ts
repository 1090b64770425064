import { basename, dirname } from 'node:path';
import { RegrowError } from '../../../errors.ts';
import { readApk } from '../../../formats/apk.ts';
import { digestHex, ociBlob } from '../../../formats/oci.ts';
import { writeSnapshot } from '../../../formats/snapshot.ts';
import { readImageFile } from '../../../model/image-definition.ts';
import type { Sandbox } from '../../../ports/sandbox.ts';
import type { Signer } from '../../../ports/signer.ts';
import type { UnpackEntry, Workspace, Workspaces } from '../../../ports/workspace.ts';
import type { AssembledImage, ImageInput } from '../assemble.ts';
import { imageInvalid, readText, unpackEntries } from '../root.ts';
import { writeImageSbom } from '../sbom.ts';
import { apkoConfiguration, snapshotPath } from './configuration.ts';
import { readApkoLayout } from './layout.ts';
import { checkLock } from './lock-file.ts';

export interface ApkoPorts {
  readonly sandbox: Sandbox;
  readonly workspaces: Workspaces;
  /** Absolute path of apko; undefined where it is not on this machine. */
  readonly program: string | undefined;
  /** Signs the index of the snapshot that apko reads; made for it, trusted by nobody else. */
  readonly signer: () => Promise<Signer>;
}

export interface ApkoLimits {
  /** Milliseconds for each call of apko. */
  readonly timeout: number;
  /** Bytes. */
  readonly outputLimit: number;
  /** Processes at a time. */
  readonly processLimit: number;
}

/** An image for apko: the definition is read again, since apko knows more than `ImageDefinition` says. */
export interface ApkoInput extends Omit<ImageInput, 'definition'> {
  readonly tag: string;
  readonly file: { readonly path: string; readonly text: string };
}

/** Where things are in the sandbox. They end up in `/etc/apko.json` of the image, so they are the same on every machine. */
const place = {
  engine: '/engine',
  configuration: '/input/image.yaml',
  repository: '/input/repository',
  keys: '/input/keys',
  snapshotKey: '/input/snapshot',
  lock: '/work/lock.json',
  layout: '/work/layout',
  cache: '/work/cache',
} as const;

/** The machine's libraries, for an apko that is linked with them. */
const hostLinks: readonly UnpackEntry[] = ['bin', 'lib', 'lib64'].map((path) => ({
  path,
  type: 'symlink',
  mode: 0o777,
  link: `host/usr/${path}`,
}));

/**
 * Has apko make one platform of an image, in a sandbox without network: `apko lock` against a repository that has the solved packages
 * and no other, a comparison with what regrow solved, and `apko build` of what was locked. Same input and apko, same bytes. Errors:
 * tool.missing, image.invalid with what apko said, package.malformed, and those of `Sandbox`.
 */
export async function buildWithApko(
  input: ApkoInput,
  ports: ApkoPorts,
  limits: ApkoLimits,
  signal: AbortSignal,
): Promise<AssembledImage> {
  const { program } = ports;
  if (program === undefined) throw apkoMissing(`${input.name}:${input.tag}`);
  const workspace = await ports.workspaces.create('apko');
  try {
    return await build(input, workspace, await ports.signer(), (args) =>
      runApko(`${input.name}:${input.tag}`, args, {
        sandbox: ports.sandbox,
        workspace,
        program,
        limits,
        signal,
        sourceDateEpoch: input.sourceDateEpoch,
      }),
    );
  } finally {
    await workspace.dispose();
  }
}

async function build(
  input: ApkoInput,
  workspace: Workspace,
  signer: Signer,
  apko: (args: readonly string[]) => Promise<void>,
): Promise<AssembledImage> {
  const { name, file, target, keys, sourceDateEpoch } = input;
  const ref = `${name}:${input.tag}`;
  const packages = input.packages.map(readApk);
  const infos = packages.map(({ info }) => info).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const pins = infos.map((info) => `${info.name}=${info.version}`);
  for (const { path, content } of await writeSnapshot(packages, target, signer))
    await workspace.write(`input/repository/${snapshotPath(path)}`, content);
  for (const { name: keyName, pem } of keys) await workspace.write(`input/keys/${keyName}`, pem);
  await workspace.write(`input/snapshot/${signer.keyName}`, signer.publicKey);
  const configuration = apkoConfiguration(readImageFile(file.path, file.text), pins, target.arch);
  await workspace.write('input/image.yaml', configuration);
  await workspace.unpack('root', hostLinks);
  await workspace.makeDirectory('work/layout');

  await apko(lockArguments(signer.keyName));
  const text = Buffer.from(await workspace.read('work/lock.json')).toString('utf8');
  checkLock(ref, text, packages);
  await apko(
    buildArguments(
      ref,
      keys.map((key) => key.name),
    ),
  );

  const image = await readApkoLayout(ref, (path) => workspace.read(`work/layout/${path}`));
  const { manifest, layers, root } = image;
  const facts = { name, manifest, layers, packages, read: (path: string) => readText(root, path), sourceDateEpoch };
  const sbom = ociBlob('application/spdx+json', Buffer.from(writeImageSbom(facts)));
  return {
    manifest,
    sbom: sbom.descriptor,
    blobs: new Map([...image.blobs, [digestHex(sbom.descriptor), sbom.bytes]]),
    entries: unpackEntries(root),
    process: image.process,
    packages: infos.map((info) => ({ name: info.name, version: info.version, origin: info.origin })),
  };
}

function lockArguments(snapshotKey: string): readonly string[] {
  return [
    'lock',
    place.configuration,
    '--build-repository-append',
    place.repository,
    '--keyring-append',
    `${place.snapshotKey}/${snapshotKey}`,
    '--output',
    place.lock,
    '--cache-dir',
    place.cache,
  ];
}

/**
 * The keys are those that the image is to trust, since apko leaves its keyring in the image. None of them signed the index of the
 * repository, which is not read again: the packages are those of the lock file, by their checksums.
 */
function buildArguments(ref: string, keys: readonly string[]): readonly string[] {
  return [
    'build',
    place.configuration,
    ref,
    `${place.layout}/`,
    '--lockfile',
    place.lock,
    '--build-repository-append',
    place.repository,
    ...keys.flatMap((key) => ['--keyring-append', `${place.keys}/${key}`]),
    '--sbom=false',
    '--vcs=false',
    '--cache-dir',
    place.cache,
  ];
}

interface ApkoRun {
  readonly sandbox: Sandbox;
  readonly workspace: Workspace;
  readonly program: string;
  readonly limits: ApkoLimits;
  readonly signal: AbortSignal;
  readonly sourceDateEpoch: number;
}

async function runApko(ref: string, args: readonly string[], run: ApkoRun): Promise<void> {
  const { sandbox, workspace, program, limits, signal, sourceDateEpoch } = run;
  const chunks: Uint8Array[] = [];
  await workspace.makeDirectory('work/tmp');
  const running = sandbox.run({
    root: workspace.path('root'),
    host: true,
    binds: [
      { from: dirname(program), to: place.engine },
      { from: workspace.path('input'), to: '/input' },
      { from: workspace.path('work'), to: '/work', writable: true },
    ],
    argv: [`${place.engine}/${basename(program)}`, ...args],
    cwd: '/work',
    env: { PATH: '/usr/bin:/bin', SOURCE_DATE_EPOCH: String(sourceDateEpoch), TMPDIR: '/work/tmp' },
    ...limits,
    onOutput: (chunk) => chunks.push(chunk),
    signal,
  });
  const output = () => Buffer.concat(chunks).toString('utf8');
  const exitCode = await running.catch((thrown: unknown) => {
    // The sandbox is there, apko is not: it lies where only its owner comes, or is made for another machine.
    const unstarted = /^bwrap: execvp .*$/m.exec(output());
    throw unstarted === null ? thrown : apkoMissing(ref, `${program} cannot be started: ${unstarted[0]}`);
  });
  if (exitCode === 0) return;
  const said = lastWords(output());
  throw imageInvalid(
    `apko ${args[0] ?? ''} of ${ref} ended with ${exitCode}: ${said}`,
    'correct the definition or the packages as apko says; the published image stays as it is',
  );
}

/** What apko says last, without colours: its error, which may have several lines, where it has one. */
function lastWords(output: string): string {
  const lines = output
    .replace(/\x1b\[[0-9;]*m/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const error = lines.findLastIndex((line) => /^(?:Error|panic|fatal error):/.test(line));
  const words = error === -1 ? lines.slice(-1) : lines.slice(error);
  return words.length === 0 ? 'it said nothing' : words.join(' ').slice(0, 800);
}

function apkoMissing(ref: string, why = 'it is not on this builder'): RegrowError {
  return new RegrowError('tool.missing', `${ref} is for apko, and ${why} (scripts/setup --engines builds it)`, {
    remedy:
      'install apko: scripts/setup --engines builds it, and it is found on the PATH or in $REGROW_ENGINES, where everyone has to ' +
      'be able to read and run it; or set images.engine to regrow',
  });
}
