import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFsReader } from '../../src/adapters/objects/fs-reader.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import { createRepositoryView } from '../../src/report/repository.ts';
import { startDaemon } from '../../src/roles/daemon.ts';
import { statePaths } from '../../src/roles/parts.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { regrow, until } from './support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-pushed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what the daemon publishes is at the registry a moment later, signed, and it says so', {
  timeout: 120_000,
}, async () => {
  const login = { username: 'robot', password: 'secret' };
  const registry = await startFakeRegistry(login);
  const { config: file } = JSON.parse(await regrow('init', folder, '--json')) as { config: string };
  const push = `[{ registry: "${registry.address}", repository: "box/{name}" }]`;
  await appendFile(file, `api: { port: 0 }\nimages: { push: ${push} }\n`);
  const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const environment = {
    REGROW_REGISTRY_AUTH: JSON.stringify({ auths: { [new URL(registry.address).host]: { auth } } }),
  };
  const { config, secrets } = loadConfig({ file, environment, cwd: '/' });
  const daemon = await startDaemon({ config, secrets, log: createLogger({ level: 'silent' }) });
  try {
    const view = createRepositoryView(createFsReader(statePaths(config).objects));
    const to = `${new URL(registry.address).host}/box/hello:latest`;
    await until(`hello:latest says that it is at ${to}`, async () => {
      const explained = await regrow('explain', 'hello:latest', '--config', file);
      return explained.includes(to) ? explained : undefined;
    });
    const { images } = await view.images();
    const digest = images.find(({ ref }) => ref === 'hello:latest')?.digest ?? '';
    const tags = [...registry.manifests.keys()].filter((key) => !key.includes('sha256:'));
    expect(tags).toContain('box/hello latest');
    expect(tags).toContain(`box/hello ${digest.replace(':', '-')}.sig`);
    expect(tags).toContain(`box/hello ${digest.replace(':', '-')}.att`);
    expect(registry.manifests.get('box/hello latest')).toEqual(registry.manifests.get(`box/hello ${digest}`));
  } finally {
    await daemon.stop(5000);
    await registry.close();
  }
});
