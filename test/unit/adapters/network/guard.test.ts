import { describe, expect, it } from 'vitest';
import { createNetworkGuard, hostsOf, isPublicAddress } from '../../../../src/adapters/network/guard.ts';

describe('isPublicAddress', () => {
  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fc00::1',
    'fd12:3456:789a::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '100::1',
    'nonsense',
    '',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '192.167.255.255',
    '223.255.255.255',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2606:4700:4700::1111',
    '2a00:1450:4001:800::200e',
    '2001:4860:4860::8888',
  ])('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('createNetworkGuard', () => {
  it('allows what it is told of: hosts, hosts with a port, addresses and networks', async () => {
    const guard = createNetworkGuard([
      'GitLab.example.com',
      'mirror.example.com:8080',
      '10.1.0.0/16',
      '192.168.1.7',
      'fd00:1::/32',
    ]);
    expect(guard.trusts('gitlab.example.com', 443)).toBe(true);
    expect(guard.trusts('gitlab.example.com.', 80)).toBe(true);
    expect(guard.trusts('evil-gitlab.example.com', 443)).toBe(false);
    expect(guard.trusts('mirror.example.com', 8080)).toBe(true);
    expect(guard.trusts('mirror.example.com', 22)).toBe(false);
    expect(
      ['10.1.2.3', '::ffff:10.1.2.3', '10.2.0.1', '192.168.1.7', '192.168.1.8', 'fd00:1::5', 'fd00:2::5'].filter(
        guard.allows,
      ),
    ).toEqual(['10.1.2.3', '::ffff:10.1.2.3', '192.168.1.7', 'fd00:1::5']);
    expect(await guard.resolve('10.1.2.3', 80)).toEqual([{ address: '10.1.2.3', family: 4 }]);
    await expect(guard.resolve('[::1]', 80)).rejects.toMatchObject({ code: 'upstream.address-refused' });
    expect(await createNetworkGuard(['[::1]:80']).resolve('[::1]', 80)).toEqual([{ address: '::1', family: 6 }]);
    await expect(createNetworkGuard(['[::1]:80']).resolve('::1', 81)).rejects.toMatchObject({
      code: 'upstream.address-refused',
    });
    expect(await createNetworkGuard(['localhost:80']).resolve('localhost', 80)).not.toEqual([]);
  });

  it.each(['10.0.0.0/33', 'fd00::/129', '10.0.0/8', 'host/8', '', 'a b', '10.0.0.0/'])('does not take %j', (entry) => {
    expect(() => createNetworkGuard([entry])).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it('leaves out the private ones of the addresses of a name', async () => {
    const answers = ['10.0.0.1', '93.184.215.14', '::1', '2606:4700:4700::1111'];
    const lookUp = async () => answers.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const found = await createNetworkGuard([], lookUp).resolve('both.example', 443);
    expect(found.map(({ address }) => address)).toEqual(['93.184.215.14', '2606:4700:4700::1111']);
    expect(await createNetworkGuard(['both.example'], lookUp).resolve('both.example', 443)).toHaveLength(4);
    const inside = createNetworkGuard([], async () => [{ address: '192.168.0.1', family: 4 }]);
    await expect(inside.resolve('router.example', 80)).rejects.toMatchObject({
      code: 'upstream.address-refused',
      message: expect.stringContaining('router.example is at 192.168.0.1'),
    });
  });

  it('reads hosts out of addresses of the configuration', () => {
    expect(hostsOf(['https://a.example/x', 'http://[::1]:81/', 'http://b', 'file:///srv/feed', 'rubbish'])).toEqual([
      'a.example:443',
      '[::1]:81',
      'b:80',
    ]);
  });
});
