import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LoadedConfig, loadConfig, secretValues } from '../../../src/config/load.ts';
import { RegrowError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/log.ts';

const configFolder = fileURLToPath(new URL('../../../config/', import.meta.url));
let cwd = '';
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'regrow-config-'));
});
afterEach(() => {
  rmSync(cwd, { recursive: true });
});

function load(text: string, environment: Record<string, string> = {}): LoadedConfig {
  writeFileSync(join(cwd, 'regrow.yaml'), text);
  return loadConfig({ environment, cwd });
}

function errorOf(work: () => unknown): RegrowError {
  try {
    work();
  } catch (error) {
    if (error instanceof RegrowError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('loading the configuration', () => {
  test('without a file, every option has its default, below the working directory', () => {
    const { config, file, secrets } = loadConfig({ environment: {}, cwd });
    expect(file).toBeUndefined();
    expect(secrets).toEqual({});
    expect(config).toMatchObject({
      stateDirectory: join(cwd, '.regrow'),
      targets: ['x86_64-gnu'],
      forge: { kind: 'git', repository: join(cwd, '.regrow', 'recipes.git'), mergeGreen: true },
      api: { host: '127.0.0.1' },
    });
  });

  test('config/default.yaml says what the defaults are', () => {
    const written = loadConfig({ file: join(configFolder, 'default.yaml'), environment: {}, cwd });
    expect(written.config).toEqual(loadConfig({ environment: {}, cwd }).config);
  });

  test('an empty file is a configuration', () => {
    expect(load('# nothing\n').config).toEqual(loadConfig({ environment: {}, cwd, file: 'regrow.yaml' }).config);
  });

  const examples = readdirSync(join(configFolder, 'examples'));
  test('there are examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(3);
  });

  test.each(examples)('the example %s loads', (name) => {
    // The files that it names are on another machine; variables stand before them.
    const environment = { REGROW_FORGE_TOKEN: 'f', REGROW_API_TOKEN: 'a', REGROW_WATCH_TOKEN: 'w' };
    const { config } = loadConfig({ file: join(configFolder, 'examples', name), environment, cwd });
    expect(config.targets.length).toBeGreaterThan(0);
  });

  test('proposals merge by themselves on a bare repository, on GitHub only when asked to', () => {
    expect(load('forge: { kind: github, repository: a/b }').config.forge).toMatchObject({
      repository: 'a/b',
      mergeGreen: false,
    });
    expect(load('forge: { kind: github, repository: a/b, mergeGreen: true }').config.forge.mergeGreen).toBe(true);
    expect(load('forge: { mergeGreen: false }').config.forge.mergeGreen).toBe(false);
  });

  test('paths are below the working directory, addresses are left alone', () => {
    const { config } = load(
      'forge: { repository: ../r.git }\nadvisories: [{ name: a, url: feed.jsonl }, { name: b, url: "https://x.example/y" }]\n',
    );
    expect(config.forge.repository).toBe(join(cwd, '..', 'r.git'));
    const places = load('objects: { directory: ../shared }\npublish: { keyDirectory: keys }\n').config;
    expect([places.objects.directory, places.publish.keyDirectory]).toEqual([
      join(cwd, '../shared'),
      join(cwd, 'keys'),
    ]);
    expect(config.advisories.map((feed) => feed.url)).toEqual([
      `file://${join(cwd, 'feed.jsonl')}`,
      'https://x.example/y',
    ]);
    expect(load('forge: { repository: "https://g.example/r.git" }').config.forge.repository).toBe(
      'https://g.example/r.git',
    );
  });

  test('the file is the one that is named, else that of REGROW_CONFIG, else regrow.yaml', () => {
    writeFileSync(join(cwd, 'a.yaml'), 'logLevel: debug');
    writeFileSync(join(cwd, 'b.yaml'), 'logLevel: warn');
    const environment = { REGROW_CONFIG: 'a.yaml' };
    expect(loadConfig({ environment, cwd }).config.logLevel).toBe('debug');
    expect(loadConfig({ environment, cwd, file: 'b.yaml' }).config.logLevel).toBe('warn');
    expect(load('logLevel: error').config.logLevel).toBe('error');
    expect(errorOf(() => loadConfig({ environment, cwd, file: 'none.yaml' }))).toMatchObject({
      code: 'config.invalid',
      where: { file: join(cwd, 'none.yaml') },
    });
  });

  test.each([
    [
      'an option that is none',
      'watch:\n  intervall: 5\n',
      'watch.intervall',
      2,
      'allowed here: interval, shortestInterval, githubBaseUrl',
    ],
    ['a value that is none of those allowed', 'logLevel: loud\n', 'logLevel', 1, 'fatal, error, warn'],
    ['a version that YAML reads as a number', 'policy:\n  pin:\n    jq: 1.10\n', 'policy.pin.jq', 3, 'quotes'],
    [
      'a target that is none',
      'targets:\n  - x86_64-gnu\n  - z80-gnu\n',
      'targets[1]',
      3,
      'as x86_64-gnu: x86_64, aarch64',
    ],
    ['a wrong type', 'api:\n  port: many\n', 'api.port', 2, 'a number'],
    ['a number that is too large', 'api:\n  port: 70000\n', 'api.port', 2, '65535'],
    ['an entry without its name', 'advisories:\n  - url: https://x.example\n', 'advisories[0].name', 2, 'a text'],
    ['GitHub without a repository', 'forge:\n  kind: github\n', 'forge.repository', 2, 'OWNER/NAME'],
    ['a token in the file', 'forge:\n  token: ghp_x\n', 'forge.token', 2, 'REGROW_FORGE_TOKEN'],
    ['a password in the file', 'redis:\n  url: redis://u:p@h:1\n', 'redis.url', 2, 'REGROW_REDIS_URL'],
    ['a list for a file', '- a\n', '', undefined, 'a mapping'],
  ])('%s is refused with file, line, option and what is allowed', (_what, text, field, line, allowed) => {
    const error = errorOf(() => load(text));
    expect(error).toMatchObject({ code: 'config.invalid', retry: 'never' });
    expect(error.where).toEqual({ file: join(cwd, 'regrow.yaml'), field, ...(line === undefined ? {} : { line }) });
    expect(error.message).toContain(`${join(cwd, 'regrow.yaml')}${line === undefined ? '' : `:${line}`}: ${field}`);
    expect(error.message).toContain(allowed);
    expect(error.remedy).toBeDefined();
  });

  test('every mistake is named at once', () => {
    const error = errorOf(() => load('logLevel: loud\napi: { port: x, prot: 1 }\n'));
    expect(error.message.split('\n')).toHaveLength(3);
  });

  test('what is not YAML is refused with its line', () => {
    const error = errorOf(() => load('logLevel: info\nwatch: [\n'));
    expect(error).toMatchObject({ code: 'config.invalid', where: { file: join(cwd, 'regrow.yaml') } });
    expect(error.message).toContain('not YAML');
  });
});

describe('secrets', () => {
  test('come from a variable, else from the file that a variable names, else from the file of the option', () => {
    writeFileSync(join(cwd, 'one'), 'from-one\n');
    writeFileSync(join(cwd, 'two'), 'from-two\n');
    const text = 'forge: { tokenFile: two }';
    expect(load(text).secrets.forgeToken).toBe('from-two');
    expect(load(text, { REGROW_FORGE_TOKEN_FILE: 'one' }).secrets.forgeToken).toBe('from-one');
    const both = { REGROW_FORGE_TOKEN_FILE: 'one', REGROW_FORGE_TOKEN: ' direct ' };
    expect(load(text, both).secrets.forgeToken).toBe('direct');
  });

  test('tokens for asking upstreams are several, each once, and each kept out of the log', () => {
    writeFileSync(join(cwd, 'tokens'), 'one, two\nthree one\n');
    const { secrets } = load('watch: { tokenFile: tokens }');
    expect(secrets.watchTokens).toEqual(['one', 'two', 'three']);
    expect(secretValues(secrets)).toEqual(expect.arrayContaining(['one', 'two', 'three']));
  });

  test('a file that is empty or not there is config.invalid, not an empty secret', () => {
    writeFileSync(join(cwd, 'empty'), '\n');
    expect(errorOf(() => load('api: { tokenFile: empty }'))).toMatchObject({
      code: 'config.invalid',
      where: { field: 'api.tokenFile', file: join(cwd, 'empty') },
    });
    expect(errorOf(() => load('', { REGROW_WATCH_TOKEN_FILE: 'none' }))).toMatchObject({
      where: { field: 'REGROW_WATCH_TOKEN_FILE' },
    });
  });

  test('are read only where a role runs that may hold them: a builder needs no file of anyone else', () => {
    const text = [
      'forge: { tokenFile: /none/forge }',
      'watch: { tokenFile: /none/watch }',
      'api: { tokenFile: /none/api }',
    ].join('\n');
    writeFileSync(join(cwd, 'regrow.yaml'), text);
    const environment = { REGROW_REDIS_URL: 'redis://:p@h:1' };
    for (const role of ['builder', 'publisher'] as const) {
      expect(loadConfig({ environment, cwd, roles: [role] }).secrets).toEqual({ redisUrl: 'redis://:p@h:1' });
    }
    const needs = [
      ['poller', 'watch.tokenFile'],
      ['conductor', 'forge.tokenFile'],
      ['api', 'api.tokenFile'],
    ] as const;
    for (const [role, field] of needs) {
      expect(errorOf(() => loadConfig({ environment, cwd, roles: ['builder', role] })).where.field).toBe(field);
    }
  });

  test('of who signs is what the configuration names, else what the environment gives, for the publisher alone', () => {
    const github = {
      ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.example.com/t',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'g',
    };
    const environment = { ...github, SIGSTORE_ID_TOKEN: 'a.b.c' };
    const on = 'publish: { sigstore: {} }';
    const file = load('publish: { sigstore: { tokenFile: token } }', environment).secrets;
    expect(file.identity).toEqual({ kind: 'file', path: join(cwd, 'token') });
    expect(secretValues(file)).toEqual([]);
    const direct = load(on, environment).secrets;
    expect(direct.identity).toEqual({ kind: 'token', token: 'a.b.c' });
    expect(secretValues(direct)).toEqual(['a.b.c']);
    const asked = load(on, github).secrets;
    expect(asked.identity).toEqual({ kind: 'github', url: 'https://actions.example.com/t', token: 'g' });
    expect(secretValues(asked)).toEqual(['g']);
    expect(load('', environment).secrets.identity).toBeUndefined();
    writeFileSync(join(cwd, 'regrow.yaml'), on);
    expect(loadConfig({ environment, cwd, roles: ['conductor', 'builder'] }).secrets).toEqual({});
    expect(errorOf(() => load('publish: { sigstore: { rekorVersion: 2 } }')).where.field).toBe(
      'publish.sigstore.timestampUrl',
    );
  });

  test('are listed for the log to leave out, the password of Redis without its URL', () => {
    const environment = { REGROW_API_TOKEN: 'abc', REGROW_REDIS_URL: 'redis://u:p%40ss@h:1/0' };
    const { secrets } = load('', environment);
    expect(secretValues(secrets).sort()).toEqual(['abc', 'p%40ss', 'p@ss']);
    const auth = Buffer.from('pusher:se:cret').toString('base64');
    const auths = { 'ghcr.io': { auth }, quay: { username: 'me', password: 'word', identitytoken: 'id' } };
    const logins = load('', { REGROW_REGISTRY_AUTH: JSON.stringify({ auths }) }).secrets;
    expect(secretValues(logins).sort()).toEqual([auth, 'id', 'se:cret', 'word'].sort());
    expect(secretValues(load('', { REGROW_REGISTRY_AUTH: 'none' }).secrets)).toEqual([]);
  });

  test('are left out of the log also where JSON writes them otherwise', () => {
    const lines: string[] = [];
    const log = createLogger({ level: 'info', secrets: ['a"b\\c\nd'], write: (line) => lines.push(line) });
    log.info({ err: new Error('the passphrase a"b\\c\nd is wrong') }, 'said a"b\\c\nd');
    expect(lines.join('')).toContain('[secret]');
    expect(lines.join('')).not.toContain('a\\"b');
  });
});
