/**
 * How fast is publishing? `npm run bench:publish`. An index of 11,000 packages is built whole, signed and swapped in by a
 * publisher that has just started (bar: 2 s), then packages are added to it one by one (bar: 300 ms, the median of all); 200 MB
 * of files are packaged, and the same files put through `tar | gzip -6` (bar: half its speed). All through the way that the
 * daemon goes, with the object store in a folder. The last line is `{ packages, fullSeconds, addMilliseconds, packagingMBs,
 * tarGzipMBs, ratio }`. Exit 1 when a bar is missed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { systemClock } from '../src/adapters/clock.ts';
import { createExec } from '../src/adapters/exec.ts';
import { createFsObjects } from '../src/adapters/objects/fs.ts';
import { createWorkspaces } from '../src/adapters/workspace.ts';
import { stagingKey } from '../src/ports/objects.ts';
import type { Addition } from '../src/publish/additions.ts';
import { type PublishPorts, publishGeneration } from '../src/publish/generation.ts';
import { createRepositoryMemory } from '../src/publish/memory.ts';
import { makePackage } from '../test/support/package-trees.ts';
import { sharedData } from '../test/support/shared-data.ts';
import { createTestSigner } from '../test/support/test-signer.ts';
import { fillTree, tarGzipSeconds } from './publish/files.ts';
import { namesOf, seedRepository } from './publish/repository.ts';

const bars = { fullSeconds: 2, addMilliseconds: 300, ratio: 0.5 };
const size = 11_000;
const additions = 9;
const passes = 3;

function print(line: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function stage(ports: PublishPorts, number: number): Promise<Addition> {
  const name = `bench-${String(number).padStart(3, '0')}`;
  const { artifact, bytes } = await makePackage({
    name,
    nodes: { [`usr/bin/${name}`]: { content: '#!/bin/sh\n', mode: 0o755 } },
  });
  const key = stagingKey(name, `${name}-${artifact.info.version}.apk`);
  await ports.objects.put(key, bytes);
  return { key, artifact };
}

/** The index, whole and one package at a time. */
async function measureIndex(directory: string): Promise<{ fullSeconds: number; addMilliseconds: number }> {
  const objects = await createFsObjects(join(directory, 'objects'));
  const ports = {
    objects,
    signer: createTestSigner('bench'),
    clock: systemClock,
    memory: createRepositoryMemory(),
  };
  await seedRepository(objects, namesOf(sharedData('wolfi-os'), size - 1));
  const staged: Addition[] = [];
  for (let i = 0; i <= additions; i += 1) staged.push(await stage(ports, i));
  const milliseconds: number[] = [];
  const cpu: number[] = [];
  for (const addition of staged) {
    const start = performance.now();
    const used = process.cpuUsage();
    await publishGeneration(ports, { add: [addition], token: 1 });
    milliseconds.push(performance.now() - start);
    const { user, system } = process.cpuUsage(used);
    cpu.push(round((user + system) / 1000, 0));
  }
  const [full = Number.NaN, ...adds] = milliseconds;
  // Of a machine that has other things to do, the time of the processor says more than that of the clock.
  const [fullCpu, ...addsCpu] = cpu;
  print({ fullMilliseconds: round(full, 0), fullCpu, addsMilliseconds: adds.map((one) => round(one, 0)), addsCpu });
  return { fullSeconds: round(full / 1000, 3), addMilliseconds: round(median(adds), 0) };
}

/** Packaging as a build does it, and tar with gzip, in turns; the best of each. */
async function measurePackaging(directory: string): Promise<{ packagingMBs: number; tarGzipMBs: number }> {
  const workspace = await createWorkspaces({ directory, exec: createExec() }).create('packaging');
  await workspace.makeDirectory('out');
  const megabytes = fillTree(workspace.path('out')) / 1e6;
  const seconds: { packaging: number; tarGzip: number }[] = [];
  for (let pass = 0; pass < passes; pass += 1) {
    const tarGzip = tarGzipSeconds(workspace.path('out'), join(directory, 'bench.tar.gz'));
    const start = performance.now();
    const entries = await workspace.walk('out');
    const read = (path: string) => workspace.read(`out/${path}`);
    const { bytes } = await makePackage({ name: 'bench', input: { tree: { entries, read } } });
    const packaging = (performance.now() - start) / 1000;
    seconds.push({ packaging, tarGzip });
    print({
      pass,
      megabytes: round(megabytes, 0),
      packedMegabytes: round(bytes.length / 1e6, 0),
      packaging: round(packaging),
      tarGzip: round(tarGzip),
    });
  }
  await workspace.dispose();
  const best = (which: 'packaging' | 'tarGzip') => round(megabytes / Math.min(...seconds.map((one) => one[which])), 1);
  return { packagingMBs: best('packaging'), tarGzipMBs: best('tarGzip') };
}

const directory = mkdtempSync(join(tmpdir(), 'regrow-bench-publish-'));
try {
  const index = await measureIndex(directory);
  const packaging = await measurePackaging(directory);
  const ratio = round(packaging.packagingMBs / packaging.tarGzipMBs);
  print({ peakMemoryMB: round((process.resourceUsage().maxRSS * 1024) / 1e6, 0) });
  print({ packages: size, ...index, ...packaging, ratio });
  const isFast =
    index.fullSeconds < bars.fullSeconds && index.addMilliseconds < bars.addMilliseconds && ratio >= bars.ratio;
  process.exitCode = isFast ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
