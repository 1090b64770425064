import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRegistryAuth } from '../../../../src/adapters/oci/credentials.ts';
import { createRegistries } from '../../../../src/adapters/oci/registries.ts';
import {
  attachedLayers,
  attachmentManifest,
  signatureLayer,
  signaturePayload,
} from '../../../../src/formats/cosign.ts';
import { imageKeyKey } from '../../../../src/model/attachment.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import type { RegistryBlob } from '../../../../src/ports/registry.ts';
import { attachToImage, pushImage } from '../../../../src/publish/image/index.ts';
import { readStoredImage } from '../../../../src/publish/image/read.ts';
import { startTestApi, type TestApi } from '../../../support/api-server.ts';
import { type DockerRegistry, isMissing, startDockerRegistry } from '../../../support/docker-registry.ts';
import { attachFacts, type SampleImage, sampleOutput, storeSampleImage } from '../../../support/published-image.ts';
import { createWorld, noon, type World } from '../../../support/report-world.ts';
import { createTestImageSigner } from '../../../support/test-signer.ts';

const run = promisify(execFile);
const login = { username: 'pusher', password: 'pass word:1' };
const tools = {
  skopeo: isMissing('skopeo'),
  umoci: isMissing('umoci'),
  bwrap: isMissing('bwrap'),
  cosign: isMissing('cosign', 'version'),
};

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
    const signer = createTestImageSigner();
    const hex = digest.replace('sha256:', '');
    const stored = await readStoredImage(world.objects, 'hello:latest', hex);
    await attachToImage(world.objects, signer, stored, hex, attachFacts(image));
    await world.objects.put(imageKeyKey, Buffer.from(signer.publicKey));
    registry = await startDockerRegistry(login);
    api = await startTestApi(world);
    // In chunks of 128 KiB, so that the program's layer takes several.
    const repository = registries(128 * 1024).repository(registry.address, 'team/hello');
    await pushImage(world.objects, repository, { ref: 'hello:latest', digest, tag: 'latest' });
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    const text = JSON.stringify({ auths: { [registry.host]: { auth } } });
    // For skopeo, and for cosign.
    for (const file of ['auth.json', 'config.json']) writeFileSync(join(directory, file), text);
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

  const cosign = async (...args: string[]) => {
    const environment = { ...process.env, HOME: directory, DOCKER_CONFIG: directory };
    return (await run('cosign', args, { env: environment, maxBuffer: 64 * 1024 * 1024 })).stdout;
  };
  const offline = ['--insecure-ignore-tlog', '--allow-insecure-registry', '--key'];
  const spdx = 'https://spdx.dev/Document';

  test.skipIf(tools.cosign)(
    'cosign verifies signatures and attestations of index and platforms, in both places, and with another key does not',
    async () => {
      const key = join(directory, 'cosign.pub');
      writeFileSync(key, await (await fetch(`${api.base}/images/cosign.pub`)).text());
      const wrong = join(directory, 'wrong.pub');
      writeFileSync(wrong, createTestImageSigner().publicKey);
      for (const place of places.map((one) => one.replace('docker://', ''))) {
        for (const digest of [image.digest, ...image.images.map(({ manifest }) => manifest.digest)]) {
          const ref = `${place}@${digest}`;
          const [claim] = JSON.parse(await cosign('verify', ...offline, key, ref)) as { critical: { image: object } }[];
          expect(claim?.critical.image).toEqual({ 'docker-manifest-digest': digest });
          for (const type of [spdx, 'https://apko.dev/image-configuration']) {
            const text = await cosign('verify-attestation', ...offline, key, '--type', type, ref);
            const { payload } = JSON.parse(text) as { payload: string };
            expect(JSON.parse(Buffer.from(payload, 'base64').toString())).toMatchObject({
              predicateType: type,
              subject: [{ digest: { sha256: digest.replace('sha256:', '') } }],
            });
          }
        }
        const tagged = `${place}:latest`;
        await cosign('verify', ...offline, key, tagged);
        await expect(cosign('verify', ...offline, wrong, tagged)).rejects.toThrow(/no matching signatures/);
        const attested = cosign('verify-attestation', ...offline, wrong, '--type', spdx, tagged);
        await expect(attested).rejects.toThrow(/no matching attestations/);
      }
    },
    120_000,
  );

  test.skipIf(tools.cosign)(
    'cosign refuses a payload that was changed by a byte',
    async () => {
      const key = join(directory, 'own.pub');
      writeFileSync(key, await (await fetch(`${api.base}/images/cosign.pub`)).text());
      const host = new URL(api.base).host;
      const signature = await (
        await fetch(`${api.base}/v2/hello/manifests/${image.digest.replace(':', '-')}.sig`)
      ).text();
      const { layers } = JSON.parse(signature) as { layers: { digest: string }[] };
      const blob = blobKey(layers[0]!.digest.replace('sha256:', ''));
      const payload = Buffer.from((await world.objects.get(blob))!.bytes);
      await world.objects.put(blob, Buffer.from(payload.toString().replace('regrow', 'Regrow')));
      try {
        await expect(cosign('verify', ...offline, key, `${host}/hello:latest`)).rejects.toThrow(/Error/);
      } finally {
        await world.objects.put(blob, payload);
      }
      await cosign('verify', ...offline, key, `${host}/hello:latest`);
    },
    60_000,
  );

  test('pushed again nothing is attached twice, and what others attached stays', async () => {
    const repository = registries().repository(registry.address, 'team/hello');
    const tag = `${image.digest.replace(':', '-')}.sig`;
    const layersAt = async () => attachedLayers((await repository.manifest(tag))!.bytes);
    const before = await layersAt();
    expect(before).toHaveLength(1);
    const payload = signaturePayload({ digest: image.digest }, 'theirs');
    const foreign = signatureLayer(payload, createTestImageSigner().sign(payload));
    const { manifest, config } = attachmentManifest([foreign.descriptor]);
    for (const { descriptor, bytes } of [foreign, config]) {
      async function* read() {
        yield bytes;
      }
      await repository.pushBlob({ ...descriptor, read: async () => read() });
    }
    const { mediaType } = manifest.descriptor;
    await repository.pushManifest({ mediaType, bytes: manifest.bytes }, tag);
    for (let times = 0; times < 2; times += 1) {
      await pushImage(world.objects, repository, { ref: 'hello:latest', digest: image.digest, tag: 'latest' });
      expect((await layersAt()).map(({ digest }) => digest)).toEqual([foreign.descriptor.digest, before[0]!.digest]);
    }
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
