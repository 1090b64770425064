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
import { ociMediaTypes } from '../../../../src/formats/oci.ts';
import { readReferrerIndex, referrerIndex, referrersTag } from '../../../../src/formats/referrer.ts';
import { imageKeyKey } from '../../../../src/model/attachment.ts';
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
      addresses: [registry.address, api.base],
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
    writeFileSync(join(directory, 'auth.json'), text);
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

  test('what refers to index and platforms is listed under a tag, as this registry keeps no lists, and by the daemon', async () => {
    const repository = registries().repository(registry.address, 'team/hello');
    for (const digest of [image.digest, ...image.images.map(({ manifest }) => manifest.digest)]) {
      expect(await repository.referrers(digest)).toBeUndefined();
      const tagged = readReferrerIndex((await repository.manifest(referrersTag(digest)))!.bytes)!;
      expect(tagged.map(({ artifactType }) => artifactType)).toEqual([
        'application/vnd.dev.cosign.artifact.sig.v1+json',
        'application/spdx+json',
      ]);
      const daemon = registries().repository(api.base, 'hello');
      expect(readReferrerIndex((await daemon.referrers(digest))!)).toEqual(
        tagged.map((one) => ({ ...one, annotations: one.annotations ?? {} })),
      );
      const [bill] = tagged.filter(({ artifactType }) => artifactType === 'application/spdx+json');
      const manifest = JSON.parse(Buffer.from((await repository.manifest(bill!.digest))!.bytes).toString()) as {
        subject: { digest: string };
        layers: { digest: string }[];
      };
      expect(manifest.subject.digest).toBe(digest);
      const blob = await fetch(`${api.base}/v2/hello/blobs/${manifest.layers[0]!.digest}`);
      expect(await blob.json()).toMatchObject({ spdxVersion: 'SPDX-2.3' });
    }
  });

  test('what others refer with stays in the list, and nothing of ours is in it twice', async () => {
    const repository = registries().repository(registry.address, 'team/hello');
    const tag = referrersTag(image.digest);
    const before = readReferrerIndex((await repository.manifest(tag))!.bytes)!;
    const foreign = {
      mediaType: ociMediaTypes.manifest,
      digest: `sha256:${'1'.repeat(64)}`,
      size: 2,
      artifactType: 'text/x-note',
    };
    const mediaType = ociMediaTypes.index;
    await repository.pushManifest({ mediaType, bytes: referrerIndex([]).bytes }, tag);
    // This registry looks whether what a list names is there: it is told of a manifest that is.
    const theirs = { ...foreign, digest: before[0]!.digest, size: before[0]!.size };
    await repository.pushManifest({ mediaType, bytes: referrerIndex([theirs]).bytes }, tag);
    for (let times = 0; times < 2; times += 1) {
      await pushImage(world.objects, repository, { ref: 'hello:latest', digest: image.digest, tag: 'latest' });
      const now = readReferrerIndex((await repository.manifest(tag))!.bytes)!;
      expect(now.map(({ artifactType }) => artifactType)).toEqual(['text/x-note', 'application/spdx+json']);
    }
    await repository.pushManifest({ mediaType, bytes: referrerIndex(before).bytes }, tag);
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
