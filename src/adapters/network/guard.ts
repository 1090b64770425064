import type { LookupAddress } from 'node:dns';
import { lookup as resolveHost } from 'node:dns';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { RegrowError } from '../../errors.ts';

/** Which addresses may be connected to. */
export interface NetworkGuard {
  /** Whether the operator named this host, so that any address of it will do. */
  trusts(host: string, port: number): boolean;
  /** Whether this address may be connected to by whoever asks. */
  allows(address: string): boolean;
  /** The addresses of a host that may be connected to, at least one. Throws upstream.address-refused, and what the resolver says. */
  resolve(host: string, port: number): Promise<readonly LookupAddress[]>;
}

/** All addresses of a name; fails as `node:dns` does. */
export type LookUp = (host: string) => Promise<readonly LookupAddress[]>;

/** Special-purpose IPv4 blocks that are not globally reachable (IANA registry, RFC 6890), and multicast. */
const privateV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** Of global unicast (2000::/3): Teredo and 6to4, which hide an IPv4 address, benchmarking, ORCHID and documentation. */
const privateV6 = [
  '2001::/32',
  '2001:2::/48',
  '2001:10::/28',
  '2001:20::/28',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
];
const refused = blockList([...privateV4, ...privateV6]);
const global = blockList(['2000::/3']);

/**
 * What recipes and answers name must not lead into the operator's own network: only public addresses are connected to, and those
 * that `allowPrivate` names: `HOST`, `HOST:PORT`, an address, or a network as `10.1.0.0/16`. Throws config.invalid.
 */
export function createNetworkGuard(allowPrivate: readonly string[] = [], lookUp: LookUp = lookUpHost): NetworkGuard {
  const names = allowPrivate.filter((entry) => networkOf(entry) === undefined).map((entry) => entry.toLowerCase());
  const hosts = new Set(names);
  const networks = blockList(allowPrivate.filter((entry) => networkOf(entry) !== undefined));
  const trusts = (host: string, port: number): boolean => {
    const name = host.toLowerCase().replace(/\.$/, '');
    return hosts.has(name) || hosts.has(`${name}:${port}`);
  };
  const allows = (address: string): boolean => {
    const plain = plainAddress(address);
    return isPublicAddress(plain) || contains(networks, plain);
  };
  return {
    trusts,
    allows,
    async resolve(host, port) {
      const literal = host.replace(/^\[|\]$/g, '');
      const found = isIP(literal) === 0 ? await lookUp(host) : [{ address: literal, family: isIP(literal) }];
      if (trusts(host, port)) return found;
      const allowed = found.filter(({ address }) => allows(address));
      if (allowed.length > 0) return allowed;
      throw addressRefused(host, found[0]?.address ?? literal);
    },
  };
}

export function addressRefused(host: string, address: string): RegrowError {
  const at = host === address || host === `[${address}]` ? 'is' : `is at ${address},`;
  return new RegrowError('upstream.address-refused', `${host} ${at} an address of a private network`, {
    remedy:
      'correct the address in the recipe; if it is meant, name the host in network.allowPrivate in the configuration',
  });
}

/** `HOST:PORT` of what the configuration names (a mirror, a feed), for `allowPrivate`; what is no http address gives nothing. */
export function hostsOf(urls: readonly string[]): readonly string[] {
  return urls.flatMap((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return [];
    return `${url.hostname}:${url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port}`;
  });
}

/** Whether an address is one that anyone on the internet could reach. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (isIP(plain) === 0 || contains(refused, plain)) return false;
  return !isIPv6(plain) || contains(global, plain);
}

/** The IPv4 address that an IPv4-mapped (`::ffff:0:0/96`) or NAT64 (`64:ff9b::/96`, RFC 6052) one stands for, else itself. */
function plainAddress(text: string): string {
  const [address = ''] = text.replace(/^\[|\]$/g, '').split('%');
  if (!isIPv6(address)) return address;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [, high, low] = /^(?:::ffff|64:ff9b:):(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (low === undefined) return canonical;
  const value = Number.parseInt(high ?? '0', 16) * 0x1_0000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

function networkOf(entry: string): { readonly net: string; readonly prefix: number } | undefined {
  const [address = '', prefix] = entry.split('/');
  const net = address.replace(/^\[|\]$/g, '');
  const bits = isIPv6(net) ? 128 : 32;
  if (isIP(net) === 0) {
    if (prefix === undefined && /^[^\s[\]]+$|^\[[0-9a-f:.]+\]:\d+$/i.test(entry)) return undefined;
  } else if (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)) {
    return { net, prefix: Number(prefix ?? bits) };
  }
  throw new RegrowError('config.invalid', `network.allowPrivate: ${entry} is neither a host nor a network`, {
    field: 'network.allowPrivate',
    remedy: 'write HOST, HOST:PORT, an address, or a network as 10.1.0.0/16',
  });
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of networks) {
    const network = networkOf(entry);
    if (network !== undefined) list.addSubnet(network.net, network.prefix, isIPv6(network.net) ? 'ipv6' : 'ipv4');
  }
  return list;
}

function contains(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function lookUpHost(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    resolveHost(host, { all: true }, (error, addresses) => {
      if (error === null) resolve(addresses);
      else reject(error);
    });
  });
}
