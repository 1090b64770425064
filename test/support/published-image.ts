import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestHex } from '../../src/formats/oci.ts';
import { parseImageDefinition } from '../../src/model/image-definition.ts';
import { blobKey, type Objects } from '../../src/ports/objects.ts';
import type { AttachFacts } from '../../src/publish/image/attach.ts';
import { type AssembledImage, assembleImage, indexImages } from '../../src/publish/image/index.ts';
import { apkFile } from './apk-file.ts';

/** What the program of the sample image prints. */
export const sampleOutput = 'hello from the image\n';

export interface SampleImage {
  /** Of the index, `sha256:HEX`. */
  readonly digest: string;
  readonly images: readonly AssembledImage[];
  readonly definition: { readonly path: string; readonly text: string };
}

function compiled(): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-hello-'));
  try {
    const source = join(directory, 'hello.c');
    writeFileSync(
      source,
      `#include <stdio.h>\nint main(void) { fputs(${JSON.stringify(sampleOutput)}, stdout); return 0; }\n`,
    );
    execFileSync('gcc', ['-static', '-Os', '-s', '-o', join(directory, 'hello'), source]);
    return readFileSync(join(directory, 'hello'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Stores an image for two architectures in an object store: a program that was linked statically for this machine,
 * and a text in its place for the other one.
 */
export async function storeSampleImage(objects: Objects, name = 'hello'): Promise<SampleImage> {
  const definition = {
    path: `${name}.yaml`,
    text: 'contents: {packages: [hello]}\nentrypoint: {command: /usr/bin/hello}\nlayering: {strategy: origin, budget: 3}\n',
  };
  const images: AssembledImage[] = [];
  for (const arch of ['x86_64', 'aarch64'] as const) {
    const text = arch === 'x86_64' ? compiled() : 'not for this machine';
    const packages = [
      await apkFile('hello-1-r0', { 'usr/bin/hello': { text, mode: 0o755 } }, { arch }),
      await apkFile('data-1-r0', { 'usr/share/data': 'x'.repeat(300_000) }, { arch }),
    ];
    const parsed = parseImageDefinition(definition.path, definition.text);
    images.push(
      await assembleImage({
        name,
        definition: parsed.definition,
        target: { arch, libc: 'gnu' },
        packages,
        keys: [],
        sourceDateEpoch: 1_700_000_000,
      }),
    );
  }
  const { index, blobs } = indexImages(images);
  for (const [hex, bytes] of blobs) await objects.put(blobKey(hex), bytes);
  return { digest: `sha256:${digestHex(index.descriptor)}`, images, definition };
}

/** What a publisher knows of the sample image when it signs it. */
export function attachFacts(image: SampleImage): AttachFacts {
  const [x86_64, aarch64] = image.images;
  const packages = [
    { name: 'data', version: '1-r0' },
    { name: 'hello', version: '1-r0' },
  ];
  return {
    name: 'hello',
    definition: image.definition,
    sourceDateEpoch: 1_700_000_000,
    at: '2026-06-01T09:00:00.000Z',
    platforms: [
      { target: 'x86_64-gnu', manifest: x86_64?.manifest.digest ?? '', packages },
      { target: 'aarch64-gnu', manifest: aarch64?.manifest.digest ?? '', packages },
    ],
  };
}
