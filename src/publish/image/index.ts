import { digestHex, type OciBlob, ociIndex } from '../../formats/oci.ts';
import { sbomAnnotation } from './annotation.ts';
import type { AssembledImage } from './assemble.ts';

export { type ApkoPorts, buildWithApko } from './apko/build.ts';
export type { AssembledImage } from './assemble.ts';
export { assembleImage } from './assemble.ts';
export { attachToImage, isImageSigned, readAttachments } from './attach.ts';
export { checkImage } from './check.ts';
export { commandOf, keptOutput } from './command.ts';
export { type ImageClaim, proveImage } from './proof/prove.ts';
export { pushImage } from './push.ts';

export interface ImageIndex {
  readonly index: OciBlob;
  /** Every blob of every platform and the index itself, by digest (hex). */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** The platforms of an image under one digest, sorted by platform whatever order they come in. */
export function indexImages(images: readonly AssembledImage[]): ImageIndex {
  const index = ociIndex(
    images.map(({ manifest, sbom }) => ({
      ...manifest,
      annotations: { ...manifest.annotations, [sbomAnnotation]: sbom.digest },
    })),
  );
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  blobs.set(digestHex(index.descriptor), index.bytes);
  return { index, blobs };
}
