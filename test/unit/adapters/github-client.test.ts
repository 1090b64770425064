import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { createGitHubClient } from '../../../src/adapters/github/client.ts';

it('a request that the server fails is tried again after a second, also when the one before it failed', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"down"}');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', () => listening()));
  try {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const baseUrl = `http://127.0.0.1:${port}`;
    const client = createGitHubClient({ userAgent: 'test', baseUrl, throttle: false, retries: 1 });
    const list = () => client.rest.pulls.list({ owner: 'a', repo: 'b' });
    await expect(list()).rejects.toMatchObject({ status: 500 });
    const start = performance.now();
    await expect(list()).rejects.toMatchObject({ status: 500 });
    expect(performance.now() - start).toBeLessThan(3000);
    expect(asked).toBe(4);
  } finally {
    server.close();
  }
});
