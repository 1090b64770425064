import { expect, it } from 'vitest';
import { type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import { recipeAddress } from '../../../src/roles/recipe-address.ts';

function addressOf(forge: ConfigInput['forge']): string | undefined {
  const parsed = configSchema.parse({ forge });
  return recipeAddress({
    forge: { ...parsed.forge, mergeGreen: true, repository: parsed.forge.repository ?? '.regrow/recipes.git' },
  });
}

it('is where others reach the recipes: GitHub, a server of their own, or what the configuration says', () => {
  const enterprise = { kind: 'github', repository: 'acme/os', baseUrl: 'https://github.example.com/api/v3' } as const;
  expect(addressOf({ kind: 'github', repository: 'acme/os' })).toBe('https://github.com/acme/os');
  expect(addressOf(enterprise)).toBe('https://github.example.com/acme/os');
  expect(addressOf({ ...enterprise, webUrl: 'https://git.example.com/' })).toBe('https://git.example.com/acme/os');
  expect(addressOf({ repository: '/srv/os.git', webUrl: 'https://git.example.com/os' })).toBe(
    'https://git.example.com/os',
  );
  expect(addressOf({ repository: 'https://git.example.com/os.git' })).toBe('https://git.example.com/os.git');
});

it('says no more than others may know', () => {
  expect(addressOf({ repository: 'https://bot:secret@git.example.com/os.git?token=secret#main' })).toBe(
    'https://git.example.com/os.git',
  );
});

it('is not there where nobody but this machine can reach it', () => {
  expect(addressOf({})).toBeUndefined();
  expect(addressOf({ repository: '/srv/os.git' })).toBeUndefined();
  expect(addressOf({ repository: 'file:///srv/os.git' })).toBeUndefined();
  for (const host of ['127.0.0.1:4000', 'localhost', '[::1]:80'])
    expect(addressOf({ kind: 'github', repository: 'acme/os', baseUrl: `http://${host}` })).toBeUndefined();
});
