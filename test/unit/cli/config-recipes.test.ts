import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configCommand } from '../../../src/cli/config.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { sharedData } from '../../support/shared-data.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-recipes-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, rest: string, version = '"1.0"'): void {
  writeFileSync(join(folder, `${name}.yaml`), `package:\n  name: ${name}\n  version: ${version}\n  epoch: 0\n${rest}`);
}

const github = 'update:\n  enabled: true\n  github:\n    identifier: acme/tool\n';

async function check(recipes = folder, ...options: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await configCommand({ output }).parseAsync(['check', '--recipes', recipes, ...options], { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

describe('regrow config check --recipes', () => {
  it('finds nothing wrong with a recipe that is right', async () => {
    write('tool', `${github}    strip-prefix: v\n    tag-filter-prefix: v1.\n  ignore-regex-patterns:\n    - "-rc"\n`);
    expect(await check()).toEqual({ out: '1 recipes read: 0 errors, 0 warnings\n', err: '', exitCode: 0 });
  });

  it('names file, line, code and remedy of everything that is wrong, and goes on', async () => {
    write('a-not-yaml', 'update: [\n');
    write('b-version', github, '1.0-beta');
    write('c-key', `${github}  schedul:\n    period: daily\n`);
    write('d-ignore', `${github}  ignore-regex-patterns:\n    - fine\n    - "(?<=x)y"\n`);
    write('e-transform', `${github}  version-transform:\n    - match: "(\\\\d+)$"\n      replace: $1_p0\n`);
    write('f-variables', `var-transforms:\n  - from: x\n    match: "("\n    replace: y\n    to: z\n${github}`);
    write('g-place', github.replace('acme/tool', 'acme'));
    write('h-nothing', 'update:\n  enabled: true\n');
    write('i-filter', `${github}    tag-filter-prefix: v\n`);
    write('j-variable', github.replace('tool', '${{vars.gone}}'));
    writeFileSync(join(folder, 'k-other.yaml'), `package:\n  name: i-filter\n  version: "2"\n  epoch: 0\n${github}`);
    const { out, exitCode } = await check(folder, '--json');
    const { findings, ...counts } = JSON.parse(out);
    expect(counts).toEqual({ recipes: 11, errors: 11, warnings: 0 });
    expect(
      findings.map((one: Record<string, string>) => `${one['severity']} ${one['file']}:${one['line']} ${one['code']}`),
    ).toEqual([
      'error a-not-yaml.yaml:6 recipe.malformed',
      'error b-version.yaml:3 recipe.version-invalid',
      'error c-key.yaml:9 recipe.key-unknown',
      'error d-ignore.yaml:11 recipe.pattern-invalid',
      'error e-transform.yaml:11 recipe.pattern-invalid',
      'error f-variables.yaml:7 recipe.pattern-invalid',
      'error g-place.yaml:7 recipe.source-invalid',
      'error h-nothing.yaml:5 recipe.source-invalid',
      'error i-filter.yaml:9 recipe.update-ineffective',
      'error j-variable.yaml:7 recipe.source-invalid',
      'error k-other.yaml:2 recipe.malformed',
    ]);
    for (const finding of findings) expect(finding.remedy, finding.file).toMatch(/\w/);
    expect(findings[4].remedy).toBe('put the name into braces where it ends: ${1}_p0, not $1_p0');
    expect(exitCode).toBe(1);
    const text = (await check()).out;
    expect(text).toContain(
      'error recipe.source-invalid: g-place.yaml:7: "acme" is no place of kind github\n  correct the place',
    );
    expect(text).toContain('error recipe.version-invalid: b-version.yaml:3: package.version of b-version');
    expect(text).toMatch(/11 recipes read: 11 errors, 0 warnings\n$/);
  });

  it('reads the annotations of regrow', async () => {
    const annotated = (key: string, value: string) => `  annotations:\n    dev.regrow.${key}: "${value}"\n${github}`;
    write('a', annotated('colour', 'red'));
    write('b', annotated('pattern', 'v(?!x)'));
    write('c', annotated('hold-until', 'soon'));
    write('d', annotated('source', 'nowhere:x'));
    write('e', annotated('pin', '1.2'));
    const { findings } = JSON.parse((await check(folder, '--json')).out);
    expect(
      findings.map((one: Record<string, string>) => `${one['file']}:${one['line']} ${one['code']} ${one['field']}`),
    ).toEqual([
      'a.yaml:6 recipe.annotation-invalid package.annotations.dev.regrow.colour',
      'b.yaml:6 recipe.pattern-invalid package.annotations.dev.regrow.pattern',
      'c.yaml:6 recipe.annotation-invalid package.annotations.dev.regrow.hold-until',
      'd.yaml:6 recipe.annotation-invalid package.annotations.dev.regrow.source',
    ]);
  });

  it('warns of updates that are neither on nor turned off, which is no reason to fail', async () => {
    write('left-out', 'update:\n  github:\n    identifier: acme/tool\n');
    write('none', '');
    write('off', 'update:\n  enabled: false\n');
    write('reasoned', 'update:\n  manual: true\n  exclude-reason: no tags\n');
    const { out, exitCode } = await check();
    expect(out.split('\n').filter((line) => line.startsWith('warning'))).toEqual([
      'warning recipe.update-ineffective: left-out.yaml:5: enabled is left out, which means false: the rest of the block does nothing',
      'warning recipe.update-ineffective: none.yaml:2: none has no update: block: its new versions are not looked for',
    ]);
    expect(exitCode).toBe(0);
  });

  it('is told of a folder that is not there', async () => {
    expect(await check(join(folder, 'gone'))).toMatchObject({ exitCode: 3, out: '' });
  });
});

const wolfi = sharedData('wolfi-os');

describe.skipIf(wolfi === undefined)('config check on all of Wolfi', () => {
  it('reads every recipe, and lists the real problems and nothing else', { timeout: 120_000 }, async () => {
    const { out, exitCode } = await check(wolfi ?? '', '--json');
    const { recipes, findings } = JSON.parse(out);
    expect(recipes).toBe(3401);
    const told = findings.map((one: Record<string, string>) => `${one['code']} ${one['file']}:${one['line']}`);
    // `enabled` is left out, so nothing is watched, though the block names a place and gives no reason.
    const leftOut =
      'chrpath:44 fftw:147 fig2dev:75 lerc:45 libasyncns:60 libatomic_ops:56 libdeflate:66 libpathrs:78 odbc-cpp-wrapper:67 pciutils:107 py3-pexpect:81 py3.14-pexpect:46 qhull:65';
    const noBlock = 'ocaml-findlib:2';
    // Tags `v1.2.3` pass the filter, and nothing strips the `v`.
    const noStrip = 'ruby3.4-bcrypt_pbkdf:49 ruby3.4-ed25519:49';
    expect(told.toSorted()).toEqual(
      [
        ...`${leftOut} ${noBlock} ${noStrip}`
          .split(' ')
          .map((at) => `recipe.update-ineffective ${at.replace(':', '.yaml:')}`),
        // `$1_beta$2` and `$1_p0` are groups named `1_beta` and `1_p0` to Go: what they should keep is lost.
        'recipe.pattern-invalid kpt.yaml:62',
        'recipe.pattern-invalid sudo.yaml:165',
      ].toSorted(),
    );
    expect(exitCode).toBe(1);
  });
});
