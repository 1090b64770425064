import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createDispatcher } from '../../../../src/adapters/network/dispatcher.ts';
import { createNetworkGuard } from '../../../../src/adapters/network/guard.ts';

it('connects to the address that was checked, and does not ask for it a second time', async () => {
  const server = createServer((request, response) => {
    response.writeHead(200, { connection: 'close' }).end(request.headers.host);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  // A name that is at an allowed address when it is checked, and would be at another one afterwards.
  const answers = ['127.0.0.1', '10.0.0.1', '10.0.0.1'];
  let asked = 0;
  const guard = createNetworkGuard(['127.0.0.0/8'], async () => {
    const address = answers[asked] ?? '10.0.0.1';
    asked += 1;
    return [{ address, family: 4 }];
  });
  const dispatcher = createDispatcher(guard);
  const get = async (): Promise<string> => {
    const signal = AbortSignal.timeout(5_000);
    const answer = await dispatcher.request({
      origin: `http://rebind.example:${port}`,
      path: '/',
      method: 'GET',
      signal,
    });
    return answer.body.text();
  };
  try {
    expect(await get()).toBe(`rebind.example:${port}`);
    expect(asked).toBe(1);
    await expect(get()).rejects.toMatchObject({ code: 'upstream.address-refused' });
    expect(asked).toBe(2);
  } finally {
    await dispatcher.close();
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
});
