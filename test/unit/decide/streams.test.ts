import { describe, expect, it } from 'vitest';
import { isInStream, streamOf } from '../../../src/decide/streams.ts';

describe('streamOf', () => {
  const table: readonly [string, string, string | undefined][] = [
    ['kubernetes-1.34', '1.34.11', '1.34'],
    ['nodejs-22', '22.1.0', '22'],
    ['openjdk-8', '8.504', '8'],
    ['lua5.4', '5.4.8', '5.4'],
    ['glibc-2.43', '2.43', '2.43'],
    ['openssl-fips-provider-3.1.2', '3.1.2', '3.1.2'],
    ['ruby3.2-rack-2.2', '2.2.23', '2.2'],
    ['py3.14-requests', '2.32.0', undefined],
    ['php-8.3-swoole', '8.3.1', undefined],
    ['pg_cron-18', '1.6.7', undefined],
    ['nodejs-22', '24.0.0', undefined],
    ['nodejs-22', '220.0.0', undefined],
    ['libxml2', '2.15.3', undefined],
    ['gtk-2.0', '2.24.33', undefined],
    ['py3-grpc-google-iam-v1', '1.2', undefined],
    ['jq', '1.8', undefined],
  ];
  for (const [name, version, stream] of table) {
    it(`of ${name} at ${version} is ${stream ?? 'none'}`, () => expect(streamOf(name, version)).toBe(stream));
  }
});

describe('isInStream', () => {
  it('compares part by part', () => {
    expect(['1.34', '1.34.2', '1.34_rc1', '1.340', '1.3', '2'].map((one) => isInStream(one, '1.34'))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('compares what is no version as it stands', () => {
    expect(isInStream('stable', 'stable')).toBe(true);
    expect(isInStream('1.2', 'stable')).toBe(false);
  });
});
