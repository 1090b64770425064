import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createOutput } from '../../../src/cli/output.ts';
import { runCommandOf } from '../../../src/cli/run.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { secretVariables } from '../../../src/config/secrets.ts';

const path = (name: string): string => new URL(`../../../${name}`, import.meta.url).pathname;
const read = (name: string): string => readFileSync(path(name), 'utf8');

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      command: z.string(),
      environment: z.record(z.string(), z.string()).default({}),
      volumes: z.array(z.string()).default([]),
      ports: z.array(z.string()).default([]),
    }),
  ),
  volumes: z.record(z.string(), z.object({})),
});
const compose = composeSchema.parse(parse(read('docker-compose.yml'), { merge: true }));
const ours = Object.entries(compose.services).filter(([, { command }]) => command.startsWith('run'));
const variables = new Set(secretVariables.flatMap(([name]) => [name, `${name}_FILE`]));

test('Redis, the daemon and a second builder; every volume is one that there is', () => {
  expect(Object.keys(compose.services)).toEqual(['redis', 'regrow', 'builder']);
  for (const { volumes } of Object.values(compose.services)) {
    for (const volume of volumes) {
      const [from = ''] = volume.split(':');
      expect(from.startsWith('./') || from in compose.volumes, volume).toBe(true);
    }
  }
});

test('it sets only variables that are read, and its commands have only options that there are', () => {
  for (const [name, { environment, command }] of ours) {
    for (const variable of Object.keys(environment)) expect(variables, name).toContain(variable);
    const options = runCommandOf({ output: createOutput({ stdout: process.stdout, stderr: process.stderr }) }).options;
    const known = new Set(['--config', ...options.map(({ long }) => long)]);
    for (const [option] of command.matchAll(/--[a-z-]+/g)) expect(known, name).toContain(option);
  }
  expect(compose.services['builder']?.environment).toEqual({});
});

test('its example configuration fits it: state directory, Redis, port', () => {
  const { config } = loadConfig({
    file: path('config/examples/compose.yaml'),
    environment: { REGROW_FORGE_TOKEN: 'token' },
    cwd: '/',
  });
  expect(compose.services['regrow']?.volumes).toContain(`state:${config.stateDirectory}`);
  for (const name of ['regrow', 'builder']) {
    expect(compose.services[name]?.volumes).toContain(`objects:${config.objects.directory}`);
  }
  expect(Object.keys(compose.services)).toContain(new URL(config.redis.url ?? '').hostname);
  expect(compose.services['regrow']?.ports).toEqual([`127.0.0.1:${config.api.port}:${config.api.port}`]);
  expect(config.api.host).toBe('0.0.0.0');
  expect(read('Dockerfile')).toContain(`VOLUME ${config.stateDirectory}\n`);
  expect(read('Dockerfile')).toContain(`VOLUME ${config.objects.directory}\n`);
});

test('the builder mounts nothing of the daemon but the object store: neither ledger nor signing key', () => {
  const mounts = (name: string) =>
    compose.services[name]?.volumes.filter((volume) => !volume.startsWith('./')).map((volume) => volume.split(':')[0]);
  expect(mounts('regrow')).toEqual(['state', 'objects']);
  expect(mounts('builder')).toEqual(['builder', 'objects']);
});

test('variables that documents name are read by someone', () => {
  const others = new Set(['REGROW_CONFIG', 'REGROW_SHARED_DATA']);
  for (const name of [
    'README.md',
    'CONTRIBUTING.md',
    'docker-compose.yml',
    'docs/operations.md',
    'docs/errors.md',
    'docs/api.md',
  ]) {
    for (const [variable] of read(name).matchAll(/\bREGROW_[A-Z_]+/g)) {
      expect(variables.has(variable) || others.has(variable), `${variable} in ${name}`).toBe(true);
    }
  }
});

test('what the README points at is there', () => {
  const targets = [...read('README.md').matchAll(/\]\(([^)#]+)\)/g)].map(([, target = '']) => target);
  const gone = targets.filter((target) => !target.startsWith('https://') && !existsSync(path(target)));
  expect(gone).toEqual([]);
});
