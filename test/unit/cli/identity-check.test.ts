import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { checkIdentity } from '../../../src/cli/identity-check.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { identity, identityToken } from '../../fakes/sigstore.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-identity-check-'));
afterAll(() => rmSync(folder, { recursive: true }));
const clock = createManualClock('2026-06-01T09:00:00Z');
const now = clock.now().getTime() / 1000;

function check(text: string, environment: Record<string, string> = {}) {
  const file = join(folder, 'regrow.yaml');
  writeFileSync(file, text);
  const { config, secrets } = loadConfig({ file, environment, cwd: folder });
  return checkIdentity(config, secrets, clock);
}

test('doctor says who signs, and whether the token is still good', async () => {
  expect(await check('{}')).toBeUndefined();
  expect(await check('publish: { sigstore: {} }')).toMatchObject({ state: 'fail', text: 'there is no identity token' });
  const on = 'publish: { sigstore: { tokenFile: token } }';
  expect(await check(on)).toMatchObject({ state: 'fail', text: expect.stringContaining('cannot be read') as string });
  const who = `signs as ${identity.subject} of ${identity.issuer}`;
  writeFileSync(join(folder, 'token'), identityToken({ exp: now + 600 }));
  expect(await check(on)).toEqual({ name: 'identity', state: 'ok', text: who });
  writeFileSync(join(folder, 'token'), identityToken({ exp: now - 1 }));
  expect(await check(on)).toMatchObject({
    state: 'fail',
    text: `${who}, but the token ended at 2026-06-01T08:59:59.000Z`,
  });
  const given = await check('publish: { sigstore: {} }', { SIGSTORE_ID_TOKEN: identityToken({ exp: now + 600 }) });
  expect(given).toMatchObject({ state: 'warn', text: `${who}, until 2026-06-01T09:10:00.000Z` });
});
