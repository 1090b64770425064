import { z } from 'zod';
import { flag, list, mapOf, optional, text, textMap, texts, whole } from './fields.ts';
import { packageName, packageNameRule } from './package-name.ts';
import { pipelineSchema } from './pipeline-node.ts';
import { updateBlockSchema } from './update-block.ts';

/** Packages and users of a build or test environment (apko `pkg/build/types`, the image configuration). */
export const environmentSchema = z.looseObject({
  contents: optional(
    z.looseObject({
      packages: texts,
      repositories: texts,
      build_repositories: texts,
      runtime_repositories: texts,
      keyring: texts,
      baseimage: optional(z.looseObject({ image: optional(text), apkindex: optional(text) })),
    }),
  ),
  environment: textMap,
  accounts: optional(
    z.looseObject({
      'run-as': optional(text),
      users: list(
        z.looseObject({
          username: text,
          uid: optional(whole),
          gid: optional(whole),
          shell: optional(text),
          homedir: optional(text),
        }),
      ),
      groups: list(z.looseObject({ groupname: text, gid: optional(whole), members: texts })),
    }),
  ),
  entrypoint: optional(z.looseObject({ type: optional(text), command: optional(text), services: textMap })),
  cmd: optional(text),
  'work-dir': optional(text),
  'stop-signal': optional(text),
  archs: texts,
  annotations: textMap,
  'vcs-url': optional(text),
  volumes: texts,
  paths: list(
    z.looseObject({
      path: text,
      type: optional(text),
      source: optional(text),
      uid: optional(whole),
      gid: optional(whole),
      permissions: optional(text),
      recursive: optional(flag),
    }),
  ),
});

const dependenciesSchema = z.looseObject({
  runtime: texts,
  provides: texts,
  replaces: texts,
  'provider-priority': optional(text),
  'replaces-priority': optional(text),
});

/** Switches for what the packager finds by itself. */
const packageOptionsSchema = z.looseObject({
  'no-provides': optional(flag),
  'no-depends': optional(flag),
  'no-commands': optional(flag),
  'no-versioned-shlib-deps': optional(flag),
});

const scriptletsSchema = z.looseObject({
  trigger: optional(z.looseObject({ script: optional(text), paths: texts })),
  'pre-install': optional(text),
  'post-install': optional(text),
  'pre-deinstall': optional(text),
  'post-deinstall': optional(text),
  'pre-upgrade': optional(text),
  'post-upgrade': optional(text),
});

const resourcesSchema = z.looseObject({
  cpu: optional(text),
  cpumodel: optional(text),
  memory: optional(text),
  disk: optional(text),
});

const testSchema = z.looseObject({ environment: optional(environmentSchema), pipeline: pipelineSchema });

const setcapSchema = list(z.looseObject({ path: text, add: textMap, reason: optional(text) }));

/** What the origin and its subpackages share. */
const packageFields = {
  description: optional(text),
  url: optional(text),
  commit: optional(text),
  dependencies: optional(dependenciesSchema),
  options: optional(packageOptionsSchema),
  scriptlets: optional(scriptletsSchema),
  checks: optional(z.looseObject({ disabled: texts })),
  setcap: setcapSchema,
  annotations: textMap,
};

const packageSchema = z.looseObject({
  ...packageFields,
  name: z.string().min(1, 'a package needs a name').regex(packageName, packageNameRule),
  /** Text as it stands in the file, without epoch. */
  version: z.string().min(1, 'a package needs a version'),
  epoch: whole,
  'target-architecture': texts,
  copyright: list(
    z.looseObject({
      license: optional(text),
      'license-path': optional(text),
      'detection-override': optional(text),
      attestation: optional(text),
      paths: texts,
    }),
  ),
  cpe: optional(textMap),
  timeout: optional(text),
  resources: optional(resourcesSchema),
  'test-resources': optional(resourcesSchema),
});

const subpackageSchema = z.looseObject({
  ...packageFields,
  name: z.string().min(1, 'a subpackage needs a name'),
  if: optional(text),
  /** Name of an entry of `data`: one subpackage for each of its items. */
  range: optional(text),
  pipeline: pipelineSchema,
  test: optional(testSchema),
});

/** A melange recipe (melange `pkg/config`, type Configuration), keys spelled as in the file. Keys that it does not name are kept. */
export const recipeSchema = z.looseObject({
  package: packageSchema,
  environment: optional(environmentSchema),
  capabilities: optional(z.looseObject({ add: texts, drop: texts })),
  pipeline: pipelineSchema,
  subpackages: list(subpackageSchema),
  data: list(z.looseObject({ name: text, items: textMap })),
  update: optional(updateBlockSchema),
  vars: textMap,
  'var-transforms': list(
    z.looseObject({ from: text, match: text, replace: optional(text).transform((replace) => replace ?? ''), to: text }),
  ),
  options: mapOf(
    z.looseObject({
      vars: textMap,
      environment: optional(
        z.looseObject({
          contents: optional(z.looseObject({ packages: optional(z.looseObject({ add: texts, remove: texts })) })),
        }),
      ),
    }),
  ),
  test: optional(testSchema),
});

export type Recipe = z.infer<typeof recipeSchema>;
export type RecipeEnvironment = z.infer<typeof environmentSchema>;
export type Subpackage = Recipe['subpackages'][number];
export type RecipeTest = z.infer<typeof testSchema>;
