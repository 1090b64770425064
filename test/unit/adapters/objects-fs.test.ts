import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import { withFileLock } from '../../../src/adapters/objects/lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-fs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const tsx = resolve('node_modules/.bin/tsx');
const source = (path: string): string => JSON.stringify(resolve(path));

describe('the object folder', () => {
  it('has no key that leaves it or hides in it', async () => {
    const objects = await createFsObjects(join(folder, 'keys'));
    for (const key of [
      '',
      '/etc/passwd',
      '../x',
      'a/../../x',
      'a//b',
      '.lock',
      'a/.tmp',
      'a/',
      'a\0b',
      'a\\b',
      'x'.repeat(2000),
    ]) {
      const refusal = { code: 'storage.failed' };
      await expect(objects.put(key, Buffer.from('x'))).rejects.toMatchObject(refusal);
      await expect(objects.get(key)).rejects.toMatchObject(refusal);
      await expect(objects.swap(key, Buffer.from('x'), undefined)).rejects.toMatchObject(refusal);
    }
    expect(existsSync(join(folder, 'x'))).toBe(false);
    expect(await objects.list('../')).toEqual([]);
  });

  it('leaves nothing behind of a write that failed, and keeps the old object', async () => {
    const root = join(folder, 'failed');
    const objects = await createFsObjects(root);
    mkdirSync(join(root, 'taken', 'child'), { recursive: true });
    await expect(objects.put('taken', Buffer.from('x'))).rejects.toMatchObject({
      code: 'storage.failed',
      retry: 'later',
    });
    expect(readdirSync(join(root, '.tmp'))).toEqual([]);
  });

  it('is unharmed by unfinished writes of a process that was killed', async () => {
    const root = join(folder, 'killed');
    const objects = await createFsObjects(root);
    await objects.put('a', Buffer.from('whole'));
    writeFileSync(join(root, '.tmp', 'left-over'), 'ha');
    expect(await objects.list('')).toEqual(['a']);
  });

  it('counts right when several processes swap at once', async () => {
    const root = join(folder, 'processes');
    const script = join(folder, 'count.mts');
    writeFileSync(
      script,
      `import { createFsObjects } from ${source('src/adapters/objects/fs.ts')};
const objects = await createFsObjects(${JSON.stringify(root)});
for (let i = 0; i < 15; ) {
  const now = await objects.get('counter');
  const next = Buffer.from(String(Number(Buffer.from(now?.bytes ?? []).toString() || 0) + 1));
  if (await objects.swap('counter', next, now?.etag)) i += 1;
}
`,
    );
    const children = Array.from({ length: 3 }, () => spawn(tsx, [script], { stdio: 'inherit' }));
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
    const objects = await createFsObjects(root);
    expect(Buffer.from((await objects.get('counter'))?.bytes ?? []).toString()).toBe('45');
  });
});

describe('the lock of a folder', () => {
  it('is free again as soon as its holder is killed', async () => {
    const file = join(folder, 'killed.lock');
    const script = join(folder, 'hold.mts');
    writeFileSync(
      script,
      `import { withFileLock } from ${source('src/adapters/objects/lock.ts')};
await withFileLock(${JSON.stringify(file)}, () => new Promise(() => { console.log('held'); setInterval(() => undefined, 1000); }));
`,
    );
    const holder = spawn(process.execPath, ['--import', resolve('node_modules/tsx/dist/esm/index.mjs'), script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    let entered = false;
    const waiting = withFileLock(file, async () => {
      entered = true;
    });
    expect(entered).toBe(false);
    holder.kill('SIGKILL');
    await waiting;
    expect(entered).toBe(true);
  });

  it('is free again when the work throws', async () => {
    const file = join(folder, 'throws.lock');
    await expect(withFileLock(file, async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFileLock(file, async () => 'yes')).toBe('yes');
  });
});
