import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRegistryAuth } from '../../../../src/adapters/oci/credentials.ts';
import { createRegistries } from '../../../../src/adapters/oci/registries.ts';
import type { RegistryBlob } from '../../../../src/ports/registry.ts';
import { pushImage } from '../../../../src/publish/image/index.ts';
import { startTestApi, type TestApi } from '../../../support/api-server.ts';
import { type DockerRegistry, isMissing, startDockerRegistry } from '../../../support/docker-registry.ts';
import { type SampleImage, sampleOutput, storeSampleImage } from '../../../support/published-image.ts';
import { createWorld, noon, type World } from '../../../support/report-world.ts';

const run = promisify(execFile);
const login = { username: 'pusher', password: 'pass word:1' };
const tools = { skopeo: isMissing('skopeo'), umoci: isMissing('umoci'), bwrap: isMissing('bwrap') };

describe.skipIf(isMissing('docker-registry'))('an image in docker-registry', () => {
  let directory: string;
  let world: World;
  let image: SampleImage;
  let registry: DockerRegistry;
  let api: TestApi;
  /** Where skopeo finds it: in the registry, and at the daemon. */
  const places: string[] = [];

  function registries(chunkSize?: number) {
    const auths = { [registry.host]: { auth: Buffer.from(`${login.username}:${login.password}`).toString('base64') } };
    return createRegistries({
      userAgent: 'regrow-test',
      addresses: [registry.address],
      credentials: readRegistryAuth(JSON.stringify({ auths })),
      ...(chunkSize === undefined ? {} : { chunkSize }),
    });
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'regrow-pushed-'));
    world = createWorld();
    image = await storeSampleImage(world.objects);
    const { digest } = image;
    const platforms = image.images.map(({ manifest }) => ({
      target: 'x86_64-gnu',
      manifest: manifest.digest,
      packages: [],
      output: '',
    }));
    const images = [{ ref: 'hello:latest', digest, generation: 1, at: noon, platforms, vulnerabilities: [] }];
    await world.objects.put('images/current', Buffer.from(JSON.stringify({ schema: 1, images })));
    registry = await startDockerRegistry(login);
    api = await startTestApi(world);
    // In chunks of 128 KiB, so that the program's layer takes several.
    const repository = registries(128 * 1024).repository(registry.address, 'team/hello');
    await pushImage(world.objects, repository, { ref: 'hello:latest', digest, tag: 'latest' });
    writeFileSync(
      join(directory, 'auth.json'),
      JSON.stringify({
        auths: { [registry.host]: { auth: Buffer.from(`${login.username}:${login.password}`).toString('base64') } },
      }),
    );
    places.push(`docker://${registry.host}/team/hello`, `docker://${new URL(api.base).host}/hello`);
  }, 60_000);

  afterAll(async () => {
    await api?.close();
    await registry?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const skopeo = async (...args: string[]) => {
    const common = ['--insecure-policy', '--command-timeout', '60s'];
    return (
      await run('skopeo', [...common, ...args], {
        env: { ...process.env, REGISTRY_AUTH_FILE: join(directory, 'auth.json') },
      })
    ).stdout;
  };

  test('without a login it takes nothing', async () => {
    const anonymous = createRegistries({ userAgent: 'regrow-test', addresses: [registry.address] });
    const { digest } = image;
    const push = pushImage(world.objects, anonymous.repository(registry.address, 'team/hello'), {
      ref: 'r',
      digest,
      tag: 'other',
    });
    await expect(push).rejects.toMatchObject({ code: 'registry.unauthorized' });
  });

  test('another repository gets its layers by mounting', async () => {
    const known = registries();
    const [layer] = [...image.images[0]!.blobs].find(([, bytes]) => bytes[0] === 0x1f)!;
    const bytes = image.images[0]!.blobs.get(layer)!;
    async function* read() {
      yield bytes;
    }
    const blob: RegistryBlob = { digest: `sha256:${layer}`, size: bytes.length, read: async () => read() };
    expect(await known.repository(registry.address, 'team/hello').pushBlob(blob)).toBe('there');
    expect(await known.repository(registry.address, 'team/other').pushBlob(blob)).toBe('mounted');
  });

  test.skipIf(tools.skopeo)('skopeo inspects the same index in both places', async () => {
    for (const place of places) {
      const raw = await skopeo('inspect', '--tls-verify=false', '--raw', `${place}:latest`);
      const index = JSON.parse(raw) as { manifests: { platform: { architecture: string } }[] };
      expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
      for (const architecture of ['amd64', 'arm64']) {
        const text = await skopeo('--override-arch', architecture, 'inspect', '--tls-verify=false', `${place}:latest`);
        expect(JSON.parse(text)).toMatchObject({ Architecture: architecture, Digest: image.digest, Os: 'linux' });
      }
    }
  });

  test.skipIf(tools.skopeo || tools.umoci || tools.bwrap)(
    'it is copied with all its platforms, unpacked and run',
    async () => {
      for (const [i, place] of places.entries()) {
        const copy = join(directory, `copy-${i}`);
        await skopeo('copy', '--all', '--src-tls-verify=false', `${place}:latest`, `oci:${copy}:latest`);
        expect(readFileSync(join(copy, 'index.json'), 'utf8')).toContain(image.digest);
        const single = join(directory, `single-${i}`);
        await skopeo(
          '--override-arch',
          'amd64',
          'copy',
          '--src-tls-verify=false',
          `${place}:latest`,
          `oci:${single}:latest`,
        );
        const bundle = join(directory, `bundle-${i}`);
        const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
        execFileSync('umoci', ['unpack', ...rootless, '--image', `${single}:latest`, bundle], { stdio: 'pipe' });
        const { process: spec } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as {
          process: { args: string[] };
        };
        const output = execFileSync(
          'bwrap',
          ['--ro-bind', join(bundle, 'rootfs'), '/', '--unshare-all', ...spec.args],
          { encoding: 'utf8' },
        );
        expect(output).toBe(sampleOutput);
      }
    },
  );
});
