import { readApk } from '../../../formats/apk.ts';
import { digestHex, ociBlob } from '../../../formats/oci.ts';
import { writeSnapshot } from '../../../formats/snapshot.ts';
import { readImageFile } from '../../../model/image-definition.ts';
import type { Sandbox } from '../../../ports/sandbox.ts';
import type { Signer } from '../../../ports/signer.ts';
import type { Workspace, Workspaces } from '../../../ports/workspace.ts';
import type { AssembledImage, ImageInput } from '../assemble.ts';
import { readText, unpackEntries } from '../root.ts';
import { writeImageSbom } from '../sbom.ts';
import { apkoConfiguration, snapshotPath } from './configuration.ts';
import { readApkoLayout } from './layout.ts';
import { checkLock } from './lock-file.ts';
import { type ApkoLimits, apkoMissing, buildArguments, hostLinks, lockArguments, runApko } from './program.ts';

export interface ApkoPorts {
  readonly sandbox: Sandbox;
  readonly workspaces: Workspaces;
  /** Absolute path of apko; undefined where it is not on this machine. */
  readonly program: string | undefined;
  /** Signs the index of the snapshot that apko reads; made for it, trusted by nobody else. */
  readonly signer: () => Promise<Signer>;
}

/** An image for apko: the definition is read again, since apko knows more than `ImageDefinition` says. */
export interface ApkoInput extends Omit<ImageInput, 'definition'> {
  readonly tag: string;
  readonly file: { readonly path: string; readonly text: string };
}

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
