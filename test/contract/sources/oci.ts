import { ociSource } from '../../../src/watch/sources/oci.ts';
import type { SourceDescription } from '../source-suite.ts';
import type { RecordedAnswer } from '../upstream-server.ts';

const first = 'https://registry-1.docker.io/v2/library/nginx/tags/list?n=1000';
const second = 'https://registry-1.docker.io/v2/library/nginx/tags/list?last=1.27.0&n=1000';
const token = 'https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fnginx%3Apull';

const page = (tags: readonly string[] | null, more: Readonly<Record<string, string>> = {}): RecordedAnswer => ({
  headers: { 'content-type': 'application/json; charset=utf-8', ...more },
  body: JSON.stringify({ name: 'library/nginx', tags }),
});

const challenge: RecordedAnswer = {
  status: 401,
  headers: {
    'www-authenticate':
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"',
  },
  body: '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
};

const forBearer = (answer: RecordedAnswer) => (headers: { readonly authorization?: string | undefined }) =>
  headers.authorization?.startsWith('Bearer ') === true ? answer : challenge;

/** Shape: OCI distribution specification, Listing Tags; distribution.github.io/distribution/spec/auth/token. */
export const description: SourceDescription = {
  source: ociSource,
  key: 'oci:docker.io/library/nginx',
  document: first,
  recorded: {
    [first]: forBearer(
      page(['1.26.2', '1.27.0'], { link: '</v2/library/nginx/tags/list?last=1.27.0&n=1000>; rel="next"' }),
    ),
    [second]: forBearer(page(['1.9.0', 'latest', `sha256-${'ab'.repeat(32)}.sig`])),
    [token]: JSON.stringify({
      token: 'eyJhbGciOiJSUzI1NiJ9.e30.x',
      expires_in: 300,
      issued_at: '2026-01-01T00:00:00Z',
    }),
  },
  expected: [
    { tag: 'latest', prerelease: false },
    { tag: '1.27.0', prerelease: false },
    { tag: '1.26.2', prerelease: false },
    { tag: '1.9.0', prerelease: false },
  ],
  listing: (versions) => ({ [first]: page(versions.length === 0 ? null : versions) }),
  annotated: {
    nginx: 'oci:docker.io/library/nginx',
    'grafana/grafana': 'oci:docker.io/grafana/grafana',
    'docker.io/nginx': 'oci:docker.io/library/nginx',
    'ghcr.io/owner/group/image': 'oci:ghcr.io/owner/group/image',
    'localhost:5000/image': 'oci:localhost:5000/image',
    'nginx:1.27': undefined,
    'nginx@sha256:abc': undefined,
    'GHCR.io/Owner/Image': undefined,
    'https://quay.io/x/y': undefined,
  },
  inferred: {},
};
