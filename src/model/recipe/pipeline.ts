import { RegrowError } from '../../errors.ts';
import { type PipelineInput, type PipelineNode, pipelineNodeSchema } from './pipeline-node.ts';
import { lineAt, readYaml } from './yaml.ts';

/** Pipelines by the name that `uses:` calls them by, `split/dev`. */
export interface PipelineLibrary {
  /** Undefined for a name that the library does not have. Throws recipe.malformed for a file that is not a pipeline. */
  get(name: string): PipelineNode | undefined;
}

/**
 * A library of pipeline files, each parsed when it is first used. What a distribution ships has to be put over the built-in
 * files of the same name before.
 */
export function createPipelineLibrary(texts: ReadonlyMap<string, string>): PipelineLibrary {
  const parsed = new Map<string, PipelineNode>();
  return {
    get(name) {
      const known = parsed.get(name);
      if (known !== undefined) return known;
      const text = texts.get(name);
      if (text === undefined) return undefined;
      const pipeline = parsePipeline(`pipelines/${name}.yaml`, text);
      parsed.set(name, pipeline);
      return pipeline;
    },
  };
}

/** Reads a pipeline file. Throws recipe.malformed, with file, line and field. */
export function parsePipeline(file: string, text: string): PipelineNode {
  const parsed = pipelineNodeSchema.safeParse(readYaml(file, text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const line = lineAt(text, issue?.path ?? []);
  throw new RegrowError(
    'recipe.malformed',
    `${file}${line === undefined ? '' : `:${line}`}: ${field === '' ? 'the file' : field}: ${issue?.message ?? 'not a pipeline'}`,
    {
      file,
      ...(line === undefined ? {} : { line }),
      ...(field === '' ? {} : { field }),
      remedy: 'correct the field as the melange pipeline format asks',
    },
  );
}

/**
 * A `uses` node with the pipeline file put in: the file's own fields win, as melange reads the file over the node. Inputs
 * that the node gives are `with`.
 */
export function includePipeline(node: PipelineNode, definition: PipelineNode): PipelineNode {
  return {
    ...node,
    if: definition.if ?? node.if,
    inputs: definition.inputs,
    runs: definition.runs ?? node.runs,
    pipeline: definition.pipeline.length > 0 ? definition.pipeline : node.pipeline,
    needs: definition.needs ?? node.needs,
    assertions: definition.assertions ?? node.assertions,
    'working-directory': definition['working-directory'] ?? node['working-directory'],
    environment: { ...node.environment, ...definition.environment },
  };
}

/** Declared inputs as default values; undefined where the user has to give one. */
export function inputDefaults(inputs: Readonly<Record<string, PipelineInput>>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      input.default === undefined || input.default === '' ? (input.required === true ? undefined : '') : input.default,
    ]),
  );
}
