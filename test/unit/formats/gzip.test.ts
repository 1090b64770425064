import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gzipLargeMember, gzipMember, readGzipMember } from '../../../src/formats/gzip.ts';

describe('gzip members', () => {
  it('have a header that says nothing of time or machine', () => {
    expect(gzipMember(Buffer.from('x')).subarray(0, 10).toString('hex')).toBe('1f8b08000000000000ff');
  });

  it('are the same bytes on and off the main thread, and gunzip reads them', async () => {
    const bytes = Buffer.concat([randomBytes(70_000), Buffer.alloc(200_000, 'regrow ')]);
    const member = gzipMember(bytes);
    expect(Buffer.compare(member, await gzipLargeMember(bytes))).toBe(0);
    expect(Buffer.compare(gunzipSync(member), bytes)).toBe(0);
  });

  it('are read one at a time', () => {
    const [first, second] = [gzipMember(Buffer.from('one')), gzipMember(randomBytes(5000))];
    const both = Buffer.concat([first, second]);
    const read = readGzipMember(both);
    expect(read.content.toString()).toBe('one');
    expect(read.compressed.length).toBe(first.length);
    expect(readGzipMember(both, first.length).compressed.length).toBe(second.length);
  });

  it('are read with the optional header fields of other writers', () => {
    const plain = gzipSync(Buffer.from('named'));
    const named = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([8]),
      plain.subarray(4, 10),
      Buffer.from('file\0'),
      plain.subarray(10),
    ]);
    expect(readGzipMember(named).content.toString()).toBe('named');
  });

  const member = gzipMember(Buffer.from('some content that is long enough'));
  it.each([
    ['no gzip at all', Buffer.from('<!doctype html><title>no</title>')],
    ['a cut member', member.subarray(0, -9)],
    ['a wrong checksum', Buffer.concat([member.subarray(0, -8), Buffer.alloc(4), member.subarray(-4)])],
    ['a wrong length', Buffer.concat([member.subarray(0, -4), Buffer.alloc(4)])],
    ['nothing', Buffer.alloc(0)],
  ])('are refused: %s', (_, bytes) => {
    expect(() => readGzipMember(bytes)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });

  it('stop at the limit of what they may unpack to', () => {
    const bomb = gzipMember(Buffer.alloc(1_000_000));
    expect(() => readGzipMember(bomb, 0, 100_000)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });
});
