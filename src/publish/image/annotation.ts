/** Annotation of a platform in the index: the digest of its SPDX document, which is a blob of the image. */
export const sbomAnnotation = 'dev.regrow.sbom';
