import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findEngine } from '../../../src/adapters/engine-program.ts';
import { createExec } from '../../../src/adapters/exec.ts';
import { checkEngines } from '../../../src/cli/engine-checks.ts';
import { engineFolders } from '../../../src/config/engine-folders.ts';
import { loadConfig } from '../../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-engines-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with a program that does what a script says. */
function engines(name: string, script: string, program = 'apko'): string {
  const directory = join(folder, name);
  mkdirSync(directory);
  writeFileSync(join(directory, program), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, program), 0o755);
  return directory;
}

describe('where engines are looked for', () => {
  test('the PATH, then what scripts/setup --engines makes', () => {
    expect(engineFolders({ PATH: '/usr/bin:relative::/bin', HOME: '/home/me' })).toEqual([
      '/usr/bin',
      '/bin',
      '/home/me/.local/share/regrow/engines',
    ]);
    expect(engineFolders({ PATH: '/bin', HOME: '/home/me', REGROW_ENGINES: '/opt/engines' })).toEqual([
      '/bin',
      '/opt/engines',
    ]);
    expect(engineFolders({})).toEqual([]);
  });

  test('the first program that can be run counts, by its own path', async () => {
    const real = engines('real', 'exit 0');
    const linked = join(folder, 'linked');
    mkdirSync(linked);
    symlinkSync(join(real, 'apko'), join(linked, 'apko'));
    const text = join(folder, 'text');
    mkdirSync(text);
    writeFileSync(join(text, 'apko'), 'not a program');
    mkdirSync(join(folder, 'directory/apko'), { recursive: true });
    const folders = [join(folder, 'nowhere'), join(folder, 'directory'), text, linked];
    expect(await findEngine('apko', folders)).toBe(join(real, 'apko'));
    expect(await findEngine('melange', folders)).toBeUndefined();
  });
});

describe('doctor on engines', () => {
  const check = async (engine: string, folders: readonly string[]) => {
    const file = join(folder, 'regrow.yaml');
    writeFileSync(file, `images: { engine: ${engine} }\n`);
    const { config } = loadConfig({ file, environment: {}, cwd: '/' });
    return checkEngines({ config, exec: createExec(), folders });
  };

  test('says nothing where regrow puts images together', async () => {
    expect(await check('regrow', [])).toEqual([]);
    expect(await check('regrow, engines: { web: apko }', [])).toMatchObject([{ name: 'apko', state: 'fail' }]);
  });

  test('says which apko there is', async () => {
    const there = engines('there', 'echo "GitVersion:    v1.2.37"');
    expect(await check('apko', [there])).toEqual([
      { name: 'apko', state: 'ok', text: `${join(there, 'apko')}, v1.2.37` },
    ]);
  });

  test('fails without an apko that runs; where only some images need it that is a warning', async () => {
    expect(await check('apko', [folder])).toMatchObject([
      { state: 'fail', remedy: expect.stringContaining('scripts/setup --engines') },
    ]);
    expect(await check('auto', [folder])).toMatchObject([
      { state: 'warn', remedy: expect.stringContaining('scripts/setup --engines') },
    ]);
    const broken = engines('broken', 'echo "no such library" >&2; exit 127');
    expect(await check('apko', [broken])).toMatchObject([
      { state: 'fail', text: expect.stringContaining('no such library') },
    ]);
  });

  describe('that build packages', () => {
    const checkBuild = async (build: string, folders: readonly string[]) => {
      const file = join(folder, 'regrow.yaml');
      writeFileSync(file, `build: ${build}\n`);
      const { config } = loadConfig({ file, environment: {}, cwd: '/' });
      return checkEngines({ config, exec: createExec(), folders });
    };

    test('nothing is said where the host engine builds; one recipe that melange builds is enough', async () => {
      expect(await checkBuild('{}', [])).toEqual([]);
      expect(await checkBuild('{ engine: auto }', [])).toMatchObject([{ name: 'melange', state: 'warn' }]);
      expect(await checkBuild('{ engines: { jq: melange } }', [])).toMatchObject([
        { name: 'melange', state: 'fail', remedy: expect.stringContaining('scripts/setup --engines') },
      ]);
    });

    test('it has to be the melange that builds are planned for', async () => {
      const there = engines('melange-there', 'echo "GitVersion:    v0.59.1"', 'melange');
      expect(await checkBuild('{ engine: melange }', [there])).toMatchObject([{ state: 'ok' }]);
      expect(await checkBuild('{ engine: melange, melange: { version: v0.60.0 } }', [there])).toMatchObject([
        { state: 'fail', text: `${join(there, 'melange')} is v0.59.1, and builds are planned for v0.60.0` },
      ]);
    });

    test('and its runner has to be there', async () => {
      const there = engines('melange-runs', 'echo "GitVersion:    v0.59.1"', 'melange');
      const qemu = '{ engine: melange, melange: { runner: qemu, network: true } }';
      expect(await checkBuild(qemu, [there])).toMatchObject([
        { name: 'melange' },
        { name: expect.stringMatching(/^qemu-system-/), state: 'fail' },
      ]);
      const docker = (more: string) => `{ engine: melange, melange: { runner: docker, network: true${more} } }`;
      expect(await checkBuild(docker(', environment: { DOCKER_HOST: "tcp://box:2375" }'), [there])).toMatchObject([
        { name: 'melange' },
        { name: 'docker', state: 'ok' },
      ]);
    });

    test('steps in docker and in a virtual machine have the network, and the configuration has to say so', async () => {
      await expect(checkBuild('{ engine: melange, melange: { runner: docker } }', [])).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringContaining('network'),
      });
    });
  });
});
