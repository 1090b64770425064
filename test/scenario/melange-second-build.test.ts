import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { createOutput } from '../../src/cli/output.ts';
import { verifyCommand } from '../../src/cli/verify.ts';
import { engineOrSkip } from '../support/engines.ts';
import { hasCommands } from '../support/host-commands.ts';
import { bootstrapFile, bootstrapRecipe, bootstrapTools } from '../support/melange-engine.ts';
import { createSmallDistribution, type SmallDistribution } from './support/small-distribution.ts';

const program = await engineOrSkip('melange');
const isHere = program !== undefined && hasCommands(['busybox'], 'busybox-static');
/** Milliseconds. */
const patience = 200_000;

describe.skipIf(!isHere)('what melange builds', () => {
  let small: SmallDistribution | undefined;
  afterEach(async () => {
    await small?.close();
  });

  test('is the same the second time, before it is published and after', { timeout: 400_000 }, async () => {
    const bootstrap = ['baselayout', 'host-libc', 'shell', 'busybox', 'hello'];
    const distribution = await createSmallDistribution({
      files: {
        ...Object.fromEntries(bootstrap.map((name) => [`${name}.yaml`, bootstrapRecipe(name)])),
        'hello/greeting.txt': bootstrapFile('hello/greeting.txt').toString('utf8'),
        'pipelines/bootstrap/script.yaml': bootstrapFile('pipelines/bootstrap/script.yaml').toString('utf8'),
      },
      config: { build: { hostTools: bootstrapTools, engines: { hello: 'melange' } }, verify: { rebuild: 'always' } },
    });
    small = distribution;
    const has = (name: string) => async () => name in (await distribution.published());
    await distribution.until('hello is published', has('hello-1.2.0-r3'), patience);
    const [verdict] = await distribution.read((ledger) => ledger.list('verdict', 'hello'));
    const said = verdict?.value.gates.find(({ gate }) => gate === 'reproducible');
    // Its steps are on the machine's clock, and nothing says otherwise.
    expect(said).toMatchObject({ outcome: 'passed', because: expect.not.stringContaining('clock') });

    const file = join(distribution.directory, 'regrow.yaml');
    writeFileSync(file, stringify(distribution.config));
    let out = '';
    const output = createOutput({
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: () => undefined },
    });
    const command = verifyCommand({ output }).option('--config <file>');
    await command.parseAsync(['--config', file, 'hello'], { from: 'user' });
    expect([output.exitCode, out]).toEqual([0, expect.stringMatching(/^same {2}hello 1\.2\.0-r3 for /)]);
  });
});
