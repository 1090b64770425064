import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ociLayout } from '../../../../src/formats/oci.ts';
import { parseImageDefinition } from '../../../../src/model/image-definition.ts';
import { assembleImage, indexImages } from '../../../../src/publish/image/index.ts';
import { apkFile } from '../../../support/apk-file.ts';

/** Other people's readers of OCI layouts. */
function missing(tool: string): boolean {
  const absent = spawnSync(tool, ['--version']).error !== undefined;
  if (absent) process.stderr.write(`skipped: ${tool} is not installed\n`);
  return absent;
}

let directory = '';

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-image-'));
  const { definition } = parseImageDefinition(
    'i.yaml',
    `contents: {packages: [tool]}
entrypoint: {command: /usr/bin/tool}
accounts: {run-as: app, users: [{username: app, uid: 65532}]}
layering: {strategy: origin, budget: 3}
`,
  );
  const packages = [
    await apkFile('base-1-r0', { bin: '-> usr/bin', 'usr/bin': { directory: 0o755 }, tmp: { directory: 0o1777 } }),
    await apkFile(`tool-1-r0`, {
      'bin/tool': { text: 'run', mode: 0o755 },
      'usr/bin/same': '=> bin/tool',
      [`usr/share/${'long/'.repeat(30)}näme`]: 'text',
    }),
  ];
  const input = { name: 'i', definition, packages, keys: [], sourceDateEpoch: 1_700_000_000 };
  const image = await assembleImage({ ...input, target: { arch: 'x86_64', libc: 'gnu' } });
  const { index, blobs } = indexImages([image]);
  for (const [path, bytes] of ociLayout('latest', index.descriptor, blobs)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), bytes);
  }
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('an image is read by', () => {
  test.skipIf(missing('skopeo'))('skopeo', () => {
    const output = execFileSync('skopeo', ['inspect', '--override-arch', 'amd64', `oci:${directory}:latest`], {
      encoding: 'utf8',
    });
    expect(JSON.parse(output)).toMatchObject({
      Architecture: 'amd64',
      Os: 'linux',
      Created: '2023-11-14T22:13:20Z',
      Labels: { 'org.opencontainers.image.created': '2023-11-14T22:13:20Z' },
      Layers: expect.objectContaining({ length: 3 }),
    });
    execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', `oci:${directory}:latest`, `dir:${directory}/copy`]);
    expect(readFileSync(join(directory, 'copy/manifest.json'), 'utf8')).toContain('"schemaVersion":2');
  });

  test.skipIf(missing('umoci'))('umoci', () => {
    const bundle = join(directory, 'bundle');
    const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];
    execFileSync('umoci', ['unpack', ...rootless, '--image', `${directory}:latest`, bundle], { stdio: 'pipe' });
    const root = join(bundle, 'rootfs');
    expect(readFileSync(join(root, 'usr/bin/tool'), 'utf8')).toBe('run');
    expect(statSync(join(root, 'usr/bin/same')).ino).toBe(statSync(join(root, 'usr/bin/tool')).ino);
    expect(statSync(join(root, 'tmp')).mode & 0o7777).toBe(0o1777);
    expect(readFileSync(join(root, `usr/share/${'long/'.repeat(30)}näme`), 'utf8')).toBe('text');
    const owner = rootless.length === 0 ? 65532 : statSync(root).uid;
    expect(statSync(join(root, 'home/app')).uid).toBe(owner);
    const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as { process: object };
    expect(config.process).toMatchObject({ args: ['/usr/bin/tool'], user: { uid: 65532, gid: 65532 } });
  });
});
