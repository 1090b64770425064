import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askRaw, startTestApi, type TestApi } from '../../support/api-server.ts';
import { createWorld, noon, putBlob, sha256, type World } from '../../support/report-world.ts';

const run = promisify(execFile);
const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

interface Image {
  readonly index: string;
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** An image of one empty layer that is published as `tools/hello:latest`. */
async function publishImage(world: World): Promise<Image> {
  const tar = Buffer.alloc(1024);
  const layerBytes = gzipSync(tar);
  const layer = await putBlob(world, layerBytes);
  const configBytes = json({
    architecture: 'amd64',
    os: 'linux',
    created: noon,
    config: { Labels: { origin: 'test' } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] },
    history: [{ created: noon }],
  });
  const config = await putBlob(world, configBytes);
  const manifestBytes = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: `sha256:${config}`,
      size: configBytes.length,
    },
    layers: [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${layer}`, size: layerBytes.length },
    ],
  });
  const manifest = await putBlob(world, manifestBytes);
  const platform = { architecture: 'amd64', os: 'linux' };
  const index = await putBlob(
    world,
    json({
      schemaVersion: 2,
      mediaType: indexType,
      manifests: [{ mediaType: manifestType, digest: `sha256:${manifest}`, size: manifestBytes.length, platform }],
    }),
  );
  const images = [
    {
      ref: 'tools/hello:latest',
      digest: `sha256:${index}`,
      generation: 1,
      at: noon,
      platforms: [{ target: 'x86_64-gnu', manifest: `sha256:${manifest}`, packages: [], output: 'hello\n' }],
      vulnerabilities: [],
    },
  ];
  await world.objects.put('images/current', json({ schema: 1, images }));
  return { index, manifest, config, layer };
}

async function hasSkopeo(): Promise<boolean> {
  return run('skopeo', ['--version']).then(
    () => true,
    () => false,
  );
}

let api: TestApi;
let world: World;
let image: Image;
let notApk: string;
const referrers = ['application/vnd.dev.cosign.artifact.sig.v1+json', 'application/spdx+json'].map(
  (artifactType, i) => ({
    mediaType: manifestType,
    digest: `sha256:${String(i).repeat(64)}`,
    size: 7,
    artifactType,
    annotations: {},
  }),
);

beforeAll(async () => {
  world = createWorld();
  image = await publishImage(world);
  const attachments = { schema: 2, signed: [], sig: image.index, att: image.index, referrers };
  await world.objects.put(`images/attached/${image.index}.json`, json(attachments));
  await world.objects.put('images/keys/cosign-2.pub', Buffer.from('the second key'));
  notApk = await putBlob(world, Buffer.from('not JSON'));
  api = await startTestApi(world);
});
afterAll(() => api.close());

describe('pulling', () => {
  test('the version check answers, with and without a slash', async () => {
    for (const path of ['/v2', '/v2/']) {
      const answer = await fetch(api.base + path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    }
  });

  test('a tag is the image index, with its media type and digest', async () => {
    const answer = await fetch(`${api.base}/v2/tools/hello/manifests/latest`);
    expect(answer.headers.get('content-type')).toBe(indexType);
    expect(answer.headers.get('docker-content-digest')).toBe(`sha256:${image.index}`);
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    expect(sha256(Buffer.from(await answer.arrayBuffer()))).toBe(image.index);
  });

  test('a digest is the manifest itself; HEAD says the same without it', async () => {
    const path = `/v2/tools/hello/manifests/sha256:${image.manifest}`;
    const got = await fetch(api.base + path);
    expect(got.headers.get('content-type')).toBe(manifestType);
    const bytes = Buffer.from(await got.arrayBuffer());
    const head = await askRaw(api.base, path, { method: 'HEAD' });
    expect(head.headers['content-type']).toBe(manifestType);
    expect(head.headers['content-length']).toBe(String(bytes.length));
    expect(head.headers['docker-content-digest']).toBe(`sha256:${image.manifest}`);
    expect(head.body.length).toBe(0);
  });

  test('blobs, tags', async () => {
    const blob = await fetch(`${api.base}/v2/tools/hello/blobs/sha256:${image.layer}`);
    expect(blob.headers.get('docker-content-digest')).toBe(`sha256:${image.layer}`);
    expect(sha256(Buffer.from(await blob.arrayBuffer()))).toBe(image.layer);
    const tags = await fetch(`${api.base}/v2/tools/hello/tags/list`);
    expect(await tags.json()).toEqual({ name: 'tools/hello', tags: ['latest'] });
  });
});

describe('what is not there', () => {
  const unknown = `sha256:${'0'.repeat(64)}`;
  test.each([
    ['/v2/other/manifests/latest', 404, 'NAME_UNKNOWN'],
    ['/v2/tools/hello/manifests/old', 404, 'MANIFEST_UNKNOWN'],
    [`/v2/tools/hello/manifests/${unknown}`, 404, 'MANIFEST_UNKNOWN'],
    [`/v2/tools/hello/blobs/${unknown}`, 404, 'BLOB_UNKNOWN'],
    ['/v2/tools/hello/blobs/md5:abc', 400, 'DIGEST_INVALID'],
    ['/v2/Tools/manifests/latest', 404, 'NAME_INVALID'],
    ['/v2/_catalog', 404, 'NAME_INVALID'],
  ])('%s is %i %s', async (path, status, code) => {
    const answer = await fetch(api.base + path);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ errors: [{ code }] });
  });

  test('a blob that is no manifest is not served as one', async () => {
    expect((await fetch(`${api.base}/v2/tools/hello/manifests/sha256:${notApk}`)).status).toBe(404);
  });

  test('a large blob is not read to see whether it is a manifest: anybody may ask for it', async () => {
    const large = await putBlob(world, Buffer.alloc(5 * 1024 * 1024, ' '));
    expect((await fetch(`${api.base}/v2/tools/hello/manifests/sha256:${large}`)).status).toBe(404);
    expect(world.objects.calls.filter((call) => call === `get blobs/sha256/${large.slice(0, 2)}/${large}`)).toEqual([]);
  });

  test('pushing is refused', async () => {
    const answer = await fetch(`${api.base}/v2/tools/hello/blobs/uploads/`, { method: 'POST' });
    expect(answer.status).toBe(405);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'UNSUPPORTED' }] });
  });
});

describe('what refers to a manifest', () => {
  const list = async (digest: string, query = '') => {
    const answer = await fetch(`${api.base}/v2/tools/hello/referrers/${digest}${query}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe(indexType);
    return {
      filters: answer.headers.get('oci-filters-applied'),
      body: (await answer.json()) as { manifests: object[] },
    };
  };

  test('is a list of descriptors, by type where that is asked for', async () => {
    const all = await list(`sha256:${image.index}`);
    expect(all.filters).toBeNull();
    expect(all.body).toEqual({ schemaVersion: 2, mediaType: indexType, manifests: referrers });
    const some = await list(`sha256:${image.index}`, `?artifactType=${encodeURIComponent('application/spdx+json')}`);
    expect(some.filters).toBe('artifactType');
    expect(some.body.manifests).toEqual([referrers[1]]);
    expect((await list(`sha256:${image.index}`, '?artifactType=other')).body.manifests).toEqual([]);
  });

  test('is an empty list for what nothing refers to, in any algorithm, and never 404', async () => {
    for (const digest of [`sha256:${image.manifest}`, `sha256:${'0'.repeat(64)}`, `sha512:${'0'.repeat(128)}`])
      expect((await list(digest)).body.manifests).toEqual([]);
  });

  test.each([
    ['/v2/tools/hello/referrers/latest', 400, 'DIGEST_INVALID'],
    [`/v2/other/referrers/sha256:${'0'.repeat(64)}`, 404, 'NAME_'],
  ])('%s is %i %s', async (path, status, code) => {
    const answer = await fetch(api.base + path);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(code);
  });
});

test('every trusted key of images is served, and nothing else from there', async () => {
  expect(await (await fetch(`${api.base}/images/keys/cosign-2.pub`)).text()).toBe('the second key');
  for (const file of ['cosign-3.pub', 'cosign.key', '..%2Fcurrent', '%2e%2e%2fcosign.pub'])
    expect((await fetch(`${api.base}/images/keys/${file}`)).status).toBe(404);
});

test('skopeo reads the image', async ({ skip }) => {
  if (!(await hasSkopeo())) skip('skopeo is not installed');
  const ref = `docker://${new URL(api.base).host}/tools/hello:latest`;
  const options = ['--override-os', 'linux', '--override-arch', 'amd64'];
  const { stdout } = await run('skopeo', [...options, 'inspect', '--tls-verify=false', ref]);
  expect(JSON.parse(stdout)).toMatchObject({
    Digest: `sha256:${image.index}`,
    RepoTags: ['latest'],
    Labels: { origin: 'test' },
    Layers: [`sha256:${image.layer}`],
  });
});
