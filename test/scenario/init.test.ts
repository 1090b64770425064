import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { createExec } from '../../src/adapters/exec.ts';
import { createFsReader } from '../../src/adapters/objects/fs-reader.ts';
import { runProgram } from '../../src/cli/program.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import { createRepositoryView, generationTargets } from '../../src/report/repository.ts';
import { startDaemon } from '../../src/roles/daemon.ts';
import { statePaths } from '../../src/roles/parts.ts';

/** Milliseconds. */
const patience = 40_000;
const folder = mkdtempSync(join(tmpdir(), 'regrow-init-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function regrow(...args: string[]) {
  let out = '';
  let err = '';
  const exitCode = await runProgram(args, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    version: '0.0.0',
  });
  return { out, err, exitCode };
}

/** Git as a person would use it. */
async function git(...args: string[]): Promise<void> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder };
  const who = ['-c', 'user.name=someone', '-c', 'user.email=someone@example.org'];
  const result = await createExec().run({ argv: ['git', ...who, ...args], env });
  if (result.exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`);
}

test('what init makes runs as it is: the example is published, and so is what is pushed', {
  timeout: 120_000,
}, async () => {
  const made = await regrow('init', folder, '--json');
  expect(made.exitCode).toBe(0);
  const { config: file, repository, recipes } = JSON.parse(made.out);
  expect(recipes).toBe(1);
  // Any free port: the usual one may be taken where tests run.
  await appendFile(file, 'api: { port: 0 }\n');
  expect((await regrow('doctor', '--config', file)).out).not.toContain('fail ');

  const { config, secrets } = loadConfig({ file, environment: {}, cwd: '/' });
  const daemon = await startDaemon({ config, secrets, log: createLogger({ level: 'silent' }) });
  const view = createRepositoryView(createFsReader(statePaths(config).objects));
  /** Asks again and again until it is so. */
  const published = async (version: string): Promise<void> => {
    const until = Date.now() + patience;
    for (let is = false; !is; await sleep(100)) {
      if (Date.now() > until)
        throw new Error(
          `hello ${version} is not published in ${patience} ms: ${(await regrow('explain', 'hello', '--config', file)).out}`,
        );
      const generation = await view.current();
      const targets = generation === undefined ? [] : generationTargets(generation);
      const lists = await Promise.all(
        targets.map(async (target) => (generation === undefined ? [] : await view.packages(generation, target))),
      );
      const { images } = await view.images();
      const said = images.flatMap((image) => image.platforms.map(({ output }) => output.trim()));
      const isListed = ({ info }: { info: { name: string; version: string } }) =>
        info.name === 'hello' && info.version === `${version}-r0`;
      is = lists.length > 0 && lists.every((list) => list.some(isListed)) && said.includes(`hello ${version}`);
    }
  };
  try {
    await published('1.0.0');

    const clone = join(folder, 'clone');
    await git('clone', '--quiet', repository, clone);
    const recipe = join(clone, 'hello.yaml');
    await writeFile(recipe, (await readFile(recipe, 'utf8')).replace('version: "1.0.0"', 'version: "1.1.0"'));
    await git('-C', clone, 'commit', '--quiet', '--all', '--message', 'hello 1.1.0');
    await git('-C', clone, 'push', '--quiet');
    expect(await regrow('poke', '--server', daemon.url ?? '')).toMatchObject({ exitCode: 0 });
    await published('1.1.0');
    const index = await fetch(`${daemon.url}/repository/gnu/${config.targets[0]?.split('-')[0]}/hello-1.1.0-r0.apk`);
    expect(index.status).toBe(200);
  } finally {
    await daemon.stop(5000);
  }

  const again = await regrow('init', folder);
  expect(again).toMatchObject({ out: '', exitCode: 3 });
  expect(again.err).toContain('is there already');
});
