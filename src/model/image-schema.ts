import { z } from 'zod';
import { flag, list, mapOf, optional, text, textMap, texts, whole } from './recipe/fields.ts';

/**
 * The file format of apko (`docs/apko_file.md`), every key of it; what regrow cannot do is refused where the definition is
 * made of it. Octal permissions as apko's YAML reader takes them: `0o755`, `0755`.
 */
const permissions = z
  .string()
  .regex(/^0o?[0-7]{1,5}$/, 'expected octal permissions such as 0o755')
  .transform((digits) => Number.parseInt(digits.replace(/^0o?/, ''), 8));

const id = whole.refine((value) => value < 2 ** 21, 'expected a user or group id below 2097152');

export const imagePathSchema = z.object({
  path: text,
  type: z.enum(['directory', 'empty-file', 'hardlink', 'symlink', 'permissions']),
  uid: optional(id),
  gid: optional(id),
  permissions: optional(permissions),
  source: optional(text),
  recursive: optional(flag),
});

const userSchema = z.object({
  username: text,
  uid: id,
  gid: optional(id),
  shell: optional(text),
  homedir: optional(text),
});

const groupSchema = z.object({ groupname: text, gid: id, members: texts });

export const imageFileSchema = z.object({
  contents: optional(
    z.object({
      packages: texts,
      repositories: texts,
      build_repositories: texts,
      runtime_repositories: texts,
      keyring: texts,
      runtime_keyring: list(z.object({ name: text, content: text })),
      baseimage: optional(z.unknown()),
    }),
  ),
  entrypoint: optional(
    z.object({
      type: optional(text),
      command: optional(text),
      'shell-fragment': optional(text),
      services: mapOf(text),
    }),
  ),
  cmd: optional(text),
  'work-dir': optional(text),
  'stop-signal': optional(text),
  accounts: optional(z.object({ 'run-as': optional(text), users: list(userSchema), groups: list(groupSchema) })),
  environment: textMap,
  paths: list(imagePathSchema),
  archs: texts,
  annotations: textMap,
  volumes: texts,
  'vcs-url': optional(text),
  layering: optional(z.object({ strategy: text, budget: optional(whole) })),
  format: optional(text),
  certificates: optional(z.object({ additional: list(z.object({ name: text, content: text })), providers: texts })),
  include: optional(text),
  options: optional(z.unknown()),
});

export type ImageFile = z.infer<typeof imageFileSchema>;
export type ImagePath = z.infer<typeof imagePathSchema>;
export type ImageUser = z.infer<typeof userSchema>;
export type ImageGroup = z.infer<typeof groupSchema>;
