import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFsReader } from '../../src/adapters/objects/fs-reader.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import type { Status } from '../../src/model/status.ts';
import { createRepositoryView } from '../../src/report/repository.ts';
import { startDaemon } from '../../src/roles/daemon.ts';
import { statePaths } from '../../src/roles/parts.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { identity, identityToken, startFakeSigstore } from '../fakes/sigstore.ts';
import { regrow, until } from './support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-keyless-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('while Sigstore does not answer packages are published and images wait; afterwards all have the signature of who runs it', {
  timeout: 240_000,
}, async () => {
  const sigstore = await startFakeSigstore();
  const registry = await startFakeRegistry();
  sigstore.faults.set('fulcio', 503);
  const { config: file } = JSON.parse(await regrow('init', folder, '--json')) as { config: string };
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, identityToken());
  const services = `fulcioUrl: "${sigstore.address}", rekorUrl: "${sigstore.address}", tokenFile: "${tokenFile}"`;
  const push = `images: { push: [{ registry: "${registry.address}" }] }`;
  await appendFile(file, `api: { port: 0 }\npublish: { sigstore: { ${services} } }\n${push}\n`);
  const { config, secrets } = loadConfig({ file, environment: {}, cwd: '/' });
  let ahead = 0;
  const clock = { now: () => new Date(Date.now() + ahead) };
  const daemon = await startDaemon({ config, secrets, clock, log: createLogger({ level: 'silent' }) });
  try {
    const view = createRepositoryView(createFsReader(statePaths(config).objects));
    const status = async () => JSON.parse(await regrow('status', '--json', '--config', file)) as Status;
    const waiting = await until('what waits for signatures', async () => {
      const { unsigned, images } = await status();
      return unsigned === undefined || images[0]?.problem === undefined ? undefined : { unsigned, images };
    });
    expect(waiting.unsigned).toMatch(/^some have no signature by identity yet: Fulcio does not answer/);
    expect(waiting.images[0]?.problem).toMatch(/^it has no signature by identity: Fulcio does not answer/);
    await until('a metric', async () => {
      const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
      return /^regrow_signing_failing 1$/m.test(metrics) ? true : undefined;
    });
    const generation = (await view.current())!;
    const [artifact] = await view.packages(generation, 'x86_64-gnu');
    const name = `${artifact!.info.name}-${artifact!.info.version}.apk`;
    const address = `${daemon.url}/repository/gnu/x86_64/${name}`;
    expect((await fetch(`${address}.intoto.jsonl`)).status).toBe(200);
    expect((await fetch(`${address}.sigstore.json`)).status).toBe(404);
    expect((await view.images()).images).toEqual([]);

    sigstore.faults.clear();
    ahead += 11 * 60_000;
    await daemon.tick();
    const bundle = await until('a bundle of the package', async () => {
      const answer = await fetch(`${address}.sigstore.json`);
      const text = await answer.text();
      return answer.status === 200 ? text : undefined;
    });
    expect(sigstore.verify(bundle)).toBe(identity.subject);
    expect(() => sigstore.verify(bundle.replace(/"payload":"(.)/, '"payload":"A$1'))).toThrow(/payload hash mismatch/);
    const { digest } = await until('the image', async () => (await view.images()).images[0]);
    const attached = (await view.attachments(digest.replace('sha256:', '')))!;
    expect(attached.signed.map(({ by }) => by)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), 'identity']);
    await until('the image at the registry', async () => registry.manifests.get('hello latest'));
    const listed = registry.manifests.get(`hello ${digest.replace(':', '-')}`)!.toString();
    const { manifests } = JSON.parse(listed) as { manifests: { digest: string; artifactType: string }[] };
    const bundles = manifests.filter(({ artifactType }) => artifactType.includes('sigstore.bundle'));
    const signers: unknown[] = [];
    for (const one of bundles) {
      const manifest = registry.manifests.get(`hello ${one.digest}`)!.toString();
      const { layers } = JSON.parse(manifest) as { layers: { digest: string }[] };
      const text = registry.blobs.get(`hello ${layers[0]!.digest}`)!.toString();
      if (text.includes('"certificate"')) signers.push(sigstore.verify(text));
    }
    expect(signers).toEqual([identity.subject, identity.subject, identity.subject]);
    await until('no problems', async () => {
      const { unsigned, images } = await status();
      return unsigned === undefined && images[0]?.problem === undefined ? true : undefined;
    });
  } finally {
    await daemon.stop(5000);
    await registry.close();
    await sigstore.close();
  }
});
