import { describe, expect, test } from 'vitest';
import { parseChallenge } from '../../../../src/adapters/oci/challenge.ts';
import { readRegistryAuth } from '../../../../src/adapters/oci/credentials.ts';

const auth = (text: string) => Buffer.from(text).toString('base64');

describe('readRegistryAuth', () => {
  test('finds by host and port, and Docker Hub under each of its names', () => {
    const find = readRegistryAuth(
      JSON.stringify({
        auths: {
          '127.0.0.1:5000': { auth: auth('me:pass:word') },
          'https://index.docker.io/v1/': { auth: auth('hub:token') },
          'ghcr.io': { username: 'bot', password: 'x' },
        },
        credsStore: 'desktop',
      }),
    );
    expect(find('127.0.0.1:5000')).toEqual({ username: 'me', password: 'pass:word' });
    expect(find('registry-1.docker.io')).toEqual({ username: 'hub', password: 'token' });
    expect(find('GHCR.io')).toEqual({ username: 'bot', password: 'x' });
    expect(find('127.0.0.1')).toBeUndefined();
  });

  test.each(['', '[]', '{"auths":{"a":{}}}', '{"auths":{"a":{"auth":"eA=="}}}'])('%j is refused', (text) => {
    expect(() => readRegistryAuth(text)).toThrow(
      expect.objectContaining({ code: 'config.invalid', where: { field: 'images.authFile' } }),
    );
  });
});

describe('parseChallenge', () => {
  test.each([
    ['Basic realm="x"', { scheme: 'basic' }],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push"',
      { scheme: 'bearer', realm: 'https://auth.docker.io/token', service: 'registry.docker.io' },
    ],
    [
      'Basic realm="a, bearer b", bearer realm=https://x/t',
      { scheme: 'bearer', realm: 'https://x/t', service: undefined },
    ],
    ['Negotiate', undefined],
    ['', undefined],
  ])('%s', (header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge);
  });
});
