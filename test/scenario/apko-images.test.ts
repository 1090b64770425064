import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createExec } from '../../src/adapters/exec.ts';
import { createSandbox } from '../../src/adapters/sandbox.ts';
import { createWorkspaces } from '../../src/adapters/workspace.ts';
import type { Artifact } from '../../src/model/artifact.ts';
import type { ImagePublication } from '../../src/model/publication.ts';
import { createPackageIndex, solve } from '../../src/model/solve.ts';
import { readApkoLayout } from '../../src/publish/image/apko/layout.ts';
import { commandOf } from '../../src/publish/image/command.ts';
import { unpackEntries } from '../../src/publish/image/root.ts';
import { createRepositoryView } from '../../src/report/repository.ts';
import { isMissing } from '../support/docker-registry.ts';
import { engineOrSkip } from '../support/engines.ts';
import { createSmallDistribution, type SmallDistribution, target } from './support/small-distribution.ts';
import { beginning, imageRef } from './support/story.ts';

const apko = await engineOrSkip('apko');
const noSkopeo = isMissing('skopeo');
const lit = 'lamp 1.0.0 is lit\n';
const imageConfigSchema = z.object({ author: z.string(), config: z.object({ Entrypoint: z.array(z.string()) }) });
const lockSchema = z.object({
  contents: z.object({
    packages: z.array(z.object({ name: z.string(), version: z.string(), checksum: z.string(), url: z.string() })),
  }),
});

describe.skipIf(apko === undefined)('a distribution whose images apko makes', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'regrow-apko-'));
  let small: SmallDistribution;
  let base = '';
  beforeAll(async () => {
    small = await createSmallDistribution({ files: {}, prepare: beginning, config: { images: { engine: 'apko' } } });
    await small.until('the image', async () => imageRef in (await small.images()), 90_000);
    base = small.daemon().url ?? '';
  }, 150_000);
  afterAll(async () => {
    await small?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function published(): Promise<{ image: ImagePublication | undefined; packages: readonly Artifact[] }> {
    const view = createRepositoryView(await small.objects());
    const generation = await view.current();
    const { images } = await view.images();
    return {
      image: images.find(({ ref }) => ref === imageRef),
      packages: generation === undefined ? [] : await view.packages(generation, target),
    };
  }

  /** Runs apko against the repository that the daemon serves, as anyone would. */
  async function run(command: string, name: string, packages: readonly string[], ...more: readonly string[]) {
    const directory = join(folder, name);
    mkdirSync(join(directory, 'layout'), { recursive: true });
    const [arch = '', libc = ''] = target.split('-');
    const configuration = {
      contents: {
        repositories: [`${base}/repository/${libc}`],
        keyring: [`${base}/repository/keys/regrow-demo.rsa.pub`],
        packages,
      },
      entrypoint: { command: '/usr/bin/lamp' },
      archs: [arch],
    };
    writeFileSync(join(directory, 'image.yaml'), JSON.stringify(configuration));
    await execa(apko ?? '', [command, 'image.yaml', ...more, '--cache-dir', 'cache'], {
      cwd: directory,
      env: { SOURCE_DATE_EPOCH: '1', TMPDIR: directory },
      extendEnv: false,
    });
    return directory;
  }

  test('publishes an image that ran, of the packages that were solved, and says who made it', async () => {
    const { image, packages } = await published();
    const [platform] = image?.platforms ?? [];
    expect(platform?.output).toBe(lit);
    expect(platform?.packages.map(({ name }) => name)).toEqual(['lamp', 'tell', 'word']);
    const solved = solve(createPackageIndex(packages), ['lamp', 'tell']);
    expect(platform?.packages.map(({ name, version }) => `${name}-${version}`)).toEqual(
      solved.map(({ info }) => `${info.name}-${info.version}`),
    );
    const manifest = (await (await fetch(`${base}/v2/lamp/manifests/${platform?.manifest}`)).json()) as {
      config: { digest: string };
    };
    const config = await (await fetch(`${base}/v2/lamp/blobs/${manifest.config.digest}`)).json();
    expect(imageConfigSchema.parse(config)).toEqual({
      author: 'github.com/chainguard-dev/apko',
      config: { Entrypoint: ['/usr/bin/lamp'] },
    });
  });

  test.skipIf(noSkopeo)('serves it under /v2/, signed and attested: skopeo copies it whole', async () => {
    const host = new URL(base).host;
    const to = join(folder, 'pulled');
    await execa('skopeo', [
      '--insecure-policy',
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${host}/lamp:latest`,
      `oci:${to}:latest`,
    ]);
    const { image } = await published();
    expect(JSON.parse(readFileSync(join(to, 'index.json'), 'utf8'))).toMatchObject({
      manifests: [{ digest: image?.digest }],
    });
    for (const kind of ['sig', 'att']) {
      const tag = `${image?.digest.replace(':', '-')}.${kind}`;
      expect((await fetch(`${base}/v2/lamp/manifests/${tag}`)).status).toBe(200);
    }
  });

  test('is a repository that apko builds an image from; its program runs', async () => {
    const directory = await run('build', 'built', ['lamp', 'tell'], 'lamp:own', 'layout/');
    const image = await readApkoLayout('lamp:own', async (path) => readFileSync(join(directory, 'layout', path)));
    const exec = createExec();
    const workspace = await createWorkspaces({ directory: join(folder, 'work'), exec }).create('run');
    await workspace.makeDirectory('root');
    await workspace.unpack('root', unpackEntries(image.root));
    const command = commandOf(image.process);
    if (command === undefined) throw new Error('the image runs nothing');
    let output = '';
    const exitCode = await createSandbox({ exec }).run({
      root: workspace.path('root'),
      ...command,
      timeout: 10_000,
      outputLimit: 10_000,
      onOutput: (chunk) => {
        output += Buffer.from(chunk).toString();
      },
    });
    await workspace.dispose();
    expect([exitCode, output]).toEqual([0, lit]);
    const database = image.root.get('usr/lib/apk/db/installed')?.content ?? new Uint8Array();
    const { packages } = await published();
    for (const { checksum } of packages) expect(Buffer.from(database).toString()).toContain(`C:${checksum}\n`);
  });

  test('has apko lock the packages that the solver chooses, for each package and for shared objects', async () => {
    const { packages } = await published();
    const index = createPackageIndex(packages);
    const wishes = [...packages.map(({ info }) => [info.name]), ['so:libword.so.1'], ['lamp', 'word>=1.0.0-r0']];
    for (const [number, wanted] of wishes.entries()) {
      const directory = await run('lock', `lock-${number}`, wanted, '--output', 'lock.json');
      const { contents } = lockSchema.parse(JSON.parse(readFileSync(join(directory, 'lock.json'), 'utf8')));
      const locked = contents.packages.map(({ name, version, checksum }) => ({ name, version, checksum }));
      const solved = solve(index, wanted).map(({ info, checksum }) => ({ ...info, checksum }));
      expect(locked.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
        solved.map(({ name, version, checksum }) => ({ name, version, checksum })),
      );
      for (const { url } of contents.packages) expect(url).toContain(`${base}/repository/`);
    }
  });
});
