import { verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import { startDaemon } from '../../src/roles/daemon.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { regrow, until } from './support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-image-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Layers {
  readonly layers: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[];
}

/** Whose signatures a manifest of them has: the names of the keys that verify each. */
async function signersOf(
  manifest: string,
  blob: (digest: string) => Promise<Buffer>,
  keys: ReadonlyMap<string, string>,
): Promise<readonly (string | undefined)[]> {
  const { layers } = JSON.parse(manifest) as Layers;
  return Promise.all(
    layers.map(async ({ digest, annotations }) => {
      const payload = await blob(digest);
      const signature = Buffer.from(annotations['dev.cosignproject.cosign/signature'] ?? '', 'base64');
      return [...keys].find(([, pem]) => verify('sha256', payload, pem, signature))?.[0];
    }),
  );
}

test('an image that lives is signed by a new key too, here and at the registry, and by an old one until that is retired', {
  timeout: 240_000,
}, async () => {
  const registry = await startFakeRegistry();
  const { config: file } = JSON.parse(await regrow('init', folder, '--json')) as { config: string };
  await appendFile(file, `api: { port: 0 }\nimages: { push: [{ registry: "${registry.address}" }] }\n`);
  const keys = new Map<string, string>();
  let ahead = 0;

  /** Runs a daemon until an image has just these signatures, there and here; gives its digest. */
  async function live(signers: readonly string[], atRegistry: readonly string[]): Promise<string> {
    const { config, secrets } = loadConfig({ file, environment: {}, cwd: '/' });
    // Nobody rotates twice within a minute, for which a job that was done rests.
    ahead += 2 * 60_000;
    const clock = { now: () => new Date(Date.now() + ahead) };
    const daemon = await startDaemon({ config, secrets, clock, log: createLogger({ level: 'silent' }) });
    const at = (path: string) => fetch(`${daemon.url}${path}`);
    try {
      const served: string[] = [];
      for (const name of ['cosign', 'cosign-2']) {
        const answer = await at(`/images/keys/${name}.pub`);
        const text = await answer.text();
        if (answer.ok) keys.set(name, text);
        served.push(...(answer.ok ? [name] : []));
      }
      expect(served).toEqual([...signers].toSorted());
      const here = async (digest: string) => {
        const manifest = await at(`/v2/hello/manifests/${digest.replace(':', '-')}.sig`);
        const blob = async (one: string) => Buffer.from(await (await at(`/v2/hello/blobs/${one}`)).arrayBuffer());
        return manifest.ok ? signersOf(await manifest.text(), blob, keys) : [];
      };
      return await until(`signed by ${signers.join(', ')}`, async () => {
        const tagged = await at('/v2/hello/manifests/latest');
        await tagged.arrayBuffer();
        const digest = tagged.headers.get('docker-content-digest');
        if (!tagged.ok || digest === null) return undefined;
        const found = [await here(digest), await signersAt(registry, digest, keys)];
        return JSON.stringify(found) === JSON.stringify([signers, atRegistry]) ? digest : undefined;
      });
    } finally {
      await daemon.stop(5000);
    }
  }

  try {
    const digest = await live(['cosign'], ['cosign']);
    expect(await regrow('keys', 'rotate', '--images', '--config', file)).toContain('cosign-2.pub signs from now on');
    expect(await live(['cosign-2', 'cosign'], ['cosign', 'cosign-2'])).toBe(digest);
    await regrow('keys', 'retire', 'cosign', '--config', file);
    // What is at the registry stays: nobody but its owner takes something away there.
    expect(await live(['cosign-2'], ['cosign', 'cosign-2'])).toBe(digest);
  } finally {
    await registry.close();
  }
});

async function signersAt(
  registry: FakeRegistry,
  digest: string,
  keys: ReadonlyMap<string, string>,
): Promise<readonly (string | undefined)[]> {
  const manifest = registry.manifests.get(`hello ${digest.replace(':', '-')}.sig`);
  if (manifest === undefined) return [];
  return signersOf(manifest.toString(), async (one) => registry.blobs.get(`hello ${one}`) ?? Buffer.alloc(0), keys);
}
