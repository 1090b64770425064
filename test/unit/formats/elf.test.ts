import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readElf } from '../../../src/formats/elf.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-elf-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'lib.c'), 'int answer(void) { return 42; }\n');
writeFileSync(join(folder, 'main.c'), 'int answer(void); int main(void) { return answer() - 42; }\n');

function compile(output: string, ...arguments_: string[]): Buffer {
  execFileSync('gcc', [...arguments_, '-o', output], { cwd: folder });
  return readFileSync(join(folder, output));
}
const library = compile('libanswer.so.3', '-shared', '-fPIC', '-Wl,-soname,libanswer.so.3', 'lib.c');
const program = compile('program', 'main.c', 'libanswer.so.3', '-Wl,-rpath,/opt/lib');

/** A 32-bit or 64-bit ELF file with one needed library and a soname, made by hand so that every class and byte order is there. */
function handMade(bits: 32 | 64, littleEndian: boolean, machine: number): Buffer {
  const file = Buffer.alloc(0x400);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const half = (at: number, value: number) => view.setUint16(at, value, littleEndian);
  const word = (at: number, value: number) => view.setUint32(at, value, littleEndian);
  const address = (at: number, value: number) =>
    bits === 32 ? word(at, value) : view.setBigUint64(at, BigInt(value), littleEndian);
  file.write('\x7fELF', 'latin1');
  file[4] = bits === 32 ? 1 : 2;
  file[5] = littleEndian ? 1 : 2;
  half(16, 3);
  half(18, machine);
  const [headers, entry] = bits === 32 ? [52, 32] : [64, 56];
  address(bits === 32 ? 28 : 32, headers);
  half(bits === 32 ? 42 : 54, entry);
  half(bits === 32 ? 44 : 56, 2);
  const segment = (index: number, type: number, offset: number, start: number, size: number) => {
    const at = headers + index * entry;
    word(at, type);
    address(at + (bits === 32 ? 4 : 8), offset);
    address(at + (bits === 32 ? 8 : 16), start);
    address(at + (bits === 32 ? 16 : 32), size);
  };
  segment(0, 1, 0, 0x10000, file.length);
  segment(1, 2, 0x200, 0x10200, 0x100);
  file.write('\0libneeded.so.2\0libmine.so.1\0', 0x300, 'latin1');
  const width = bits / 8;
  for (const [i, [tag, value]] of [
    [1, 1],
    [14, 16],
    [5, 0x10300],
    [10, 29],
    [0, 0],
  ].entries()) {
    address(0x200 + i * 2 * width, tag ?? 0);
    address(0x200 + i * 2 * width + width, value ?? 0);
  }
  return file;
}

describe('reading ELF files', () => {
  it('finds the soname of a library and what a program needs', () => {
    expect(readElf(library)).toMatchObject({
      type: 'shared',
      soname: 'libanswer.so.3',
      interpreter: undefined,
      isStatic: false,
    });
    const read = readElf(program);
    expect(read?.needed).toContain('libanswer.so.3');
    expect(read?.needed).toContain('libc.so.6');
    expect(read?.interpreter).toMatch(/\/ld-linux/);
    expect(read?.runpath).toBe('/opt/lib');
    expect(read?.soname).toBeUndefined();
  });

  it('agrees with readelf', () => {
    const said = execFileSync('readelf', ['-d', 'program'], { cwd: folder }).toString();
    const needed = Array.from(said.matchAll(/\(NEEDED\).*\[(.*)\]/g), (match) => match[1]);
    expect(readElf(program)?.needed).toEqual(needed);
  });

  it('says that a static program is static', () => {
    writeFileSync(join(folder, 'alone.c'), 'int main(void) { return 0; }\n');
    expect(readElf(compile('alone', '-static', 'alone.c'))).toMatchObject({
      isStatic: true,
      needed: [],
      interpreter: undefined,
    });
  });

  it.skipIf(!existsSync('/usr/bin/musl-gcc'))("finds musl's loader (skipped where musl-gcc is not installed)", () => {
    writeFileSync(join(folder, 'alone.c'), 'int main(void) { return 0; }\n');
    execFileSync('musl-gcc', ['alone.c', '-o', 'musl'], { cwd: folder });
    expect(readElf(readFileSync(join(folder, 'musl')))?.interpreter).toMatch(/^\/lib\/ld-musl-/);
  });

  it('takes an object file for what it is', () => {
    expect(readElf(compile('lib.o', '-c', 'lib.c'))).toMatchObject({ type: 'relocatable', isStatic: false });
  });

  it.each([
    [32, true, 3, 'i386'],
    [32, true, 40, 'armv7'],
    [64, true, 62, 'x86_64'],
    [64, true, 183, 'aarch64'],
    [64, true, 243, 'riscv64'],
    [64, true, 21, 'ppc64le'],
    [64, false, 22, 's390x'],
    [32, false, 8, undefined],
  ] as const)('reads %i bit, little-endian %s, machine %i', (bits, littleEndian, machine, arch) => {
    expect(readElf(handMade(bits, littleEndian, machine))).toMatchObject({
      bits,
      littleEndian,
      machine,
      arch,
      needed: ['libneeded.so.2'],
      soname: 'libmine.so.1',
    });
  });

  it('is undefined for what is no ELF file, or a cut one', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('#!/bin/sh\n'),
      library.subarray(0, 40),
      library.subarray(0, 200),
    ]) {
      expect(readElf(bytes)).toBeUndefined();
    }
  });

  it('is undefined for a small file that would become gigabytes of names', () => {
    const file = handMade(64, true, 62);
    const [bad, good] = [100, 20].map((count) => {
      const names = Buffer.from(`\0${'n'.repeat(1000)}\0`);
      const entries = Buffer.alloc((count + 3) * 16);
      const start = file.length;
      const put = (i: number, tag: number, value: number) => {
        entries.writeBigUInt64LE(BigInt(tag), i * 16);
        entries.writeBigUInt64LE(BigInt(value), i * 16 + 8);
      };
      put(0, 5, start + entries.length);
      put(1, 10, names.length);
      for (let i = 0; i < count; i += 1) put(i + 2, 1, 1);
      const whole = Buffer.concat([file, entries, names]);
      const segment = (index: number, type: number, offset: number, size: number) => {
        const at = 64 + index * 56;
        whole.writeUInt32LE(type, at);
        for (const [place, value] of [
          [8, offset],
          [16, offset],
          [32, size],
        ] as const)
          whole.writeBigUInt64LE(BigInt(value), at + place);
      };
      segment(0, 1, 0, whole.length);
      segment(1, 2, start, entries.length);
      return readElf(whole);
    });
    expect(good?.needed).toHaveLength(20);
    expect(bad).toBeUndefined();
  });

  it('never throws and never reads beyond the file, whatever is changed in it', () => {
    const change = fc.tuple(fc.nat({ max: 0x2ff }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat({ max: library.length }), (changes, length) => {
        const bytes = Buffer.from(library.subarray(0, length));
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        expect(() => readElf(bytes)).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });
});
