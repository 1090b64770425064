import type { ImageFile } from './image-schema.ts';

/** What puts images together: regrow's own assembler, or the program apko on the builder. */
export const imageEngines = ['regrow', 'apko'] as const;
export type ImageEngine = (typeof imageEngines)[number];

/** Something in a definition that not every engine can do. */
export interface ImageObstacle {
  readonly field: string;
  readonly why: string;
  readonly remedy: string;
  /** Whether apko can do it, as regrow runs apko. */
  readonly apko: boolean;
}

/** Most layers that overlay file systems take together with what runs on top. */
const layerLimit = 100;

/** The supervisor of a service bundle: the package that apko adds, and what it has the image run (apko `ValidateServiceBundle`). */
export const serviceSupervisor = { package: 's6', command: ['/bin/s6-svscan', '/sv'] } as const;

/** Everything in a definition that its own assembler cannot do, in the order in which it is to be told. */
export function imageObstacles(file: ImageFile): readonly ImageObstacle[] {
  const { contents, entrypoint, layering, format, include, options, certificates } = file;
  const found: ImageObstacle[] = [];
  const nobody = (field: string, why: string, remedy: string) => found.push({ field, why, remedy, apko: false });
  const apkoAlone = (field: string, why: string, otherwise: string) =>
    found.push({ field, why, remedy: `set images.engine to auto or apko, or ${otherwise}`, apko: true });
  // Both name files beside the definition: a builder gets the definition and packages, nothing else of the repository of recipes.
  if (contents?.baseimage !== undefined) {
    nobody('contents.baseimage', 'a base image cannot be extended', 'name the packages that the base image has');
  }
  if (include !== undefined) nobody('include', 'other files are not included', 'write it into this file');
  if (options !== undefined) nobody('options', 'there are no options any more, for apko neither', 'leave it out');
  if (format !== undefined && format !== 'tar') {
    nobody('format', `${format} layers cannot be run and checked before they are published`, 'leave it out');
  }
  if (entrypoint?.type !== undefined && entrypoint.type !== 'service-bundle') {
    nobody('entrypoint.type', `there is no type ${entrypoint.type}`, 'use service-bundle, or name one command');
  } else if (entrypoint?.type !== undefined || Object.keys(entrypoint?.services ?? {}).length > 0) {
    apkoAlone('entrypoint', 'a service bundle needs a supervisor', 'name one command');
  }
  if (entrypoint?.command !== undefined && entrypoint['shell-fragment'] !== undefined) {
    nobody('entrypoint', 'it has a command and a shell-fragment', 'keep one of them');
  }
  if (certificates !== undefined) apkoAlone('certificates', 'certificates are not put together', 'package them');
  if ((contents?.runtime_keyring ?? []).length > 0) {
    apkoAlone('contents.runtime_keyring', 'other keys than the distribution has are not put in', 'package them');
  }
  if (layering !== undefined && layering.strategy !== 'origin') {
    nobody('layering.strategy', `there is no strategy ${layering.strategy}`, 'use origin');
  }
  const budget = layering?.budget;
  if (budget !== undefined && (budget < 1 || budget > layerLimit)) {
    nobody('layering.budget', `${budget} layers are not possible`, `give a number from 1 to ${layerLimit}`);
  }
  return found;
}
