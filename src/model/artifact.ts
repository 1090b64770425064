import { z } from 'zod';
import { targetNameSchema } from './target.ts';

/** One package as its .PKGINFO describes it; the fields of an APKINDEX entry (domain: apk v2 as melange emits it). */
export const packageInfoSchema = z.strictObject({
  name: z.string(),
  /** Full version, `1.2.3-r0`. */
  version: z.string(),
  arch: z.string(),
  /** Installed size in bytes. */
  size: z.number().int(),
  origin: z.string(),
  description: z.string(),
  url: z.string(),
  commit: z.string(),
  /** Seconds since 1970; 0 is left out of .PKGINFO. */
  buildDate: z.number().int(),
  licenses: z.array(z.string()),
  depends: z.array(z.string()),
  provides: z.array(z.string()),
  replaces: z.array(z.string()),
  providerPriority: z.number().int().optional(),
  replacesPriority: z.number().int().optional(),
  triggers: z.array(z.string()),
  /** sha256 of the compressed data member, hex. */
  datahash: z.string(),
});

/** A package file somewhere in the object store. */
export const artifactSchema = z.strictObject({
  info: packageInfoSchema,
  target: targetNameSchema,
  /** sha256 of the file, hex; of the unsigned file in staging, of the signed file once published. */
  digest: z.string(),
  /** Bytes of the file. */
  bytes: z.number().int(),
  /** `Q1` + base64(sha1(control member)): what apk knows a package by. */
  checksum: z.string(),
  /** sha256, hex, of the signed account of where it came from, once published: a DSSE envelope of SLSA provenance. */
  provenance: z.string().optional(),
});

export type PackageInfo = z.infer<typeof packageInfoSchema>;
export type Artifact = z.infer<typeof artifactSchema>;
