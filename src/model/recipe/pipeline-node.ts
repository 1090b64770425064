import { z } from 'zod';
import { flag, list, mapOf, optional, text, textMap, texts, whole } from './fields.ts';

/** What a pipeline asks its user for. */
export interface PipelineInput {
  readonly description?: string | undefined;
  readonly default?: string | undefined;
  readonly required?: boolean | undefined;
}

/**
 * One entry of a `pipeline:` list, and also the whole of a pipeline file (`pipelines/split/dev.yaml`), which is what it
 * becomes where it is used (melange `pkg/config`, type Pipeline).
 */
export interface PipelineNode {
  readonly if?: string | undefined;
  readonly name?: string | undefined;
  readonly label?: string | undefined;
  readonly description?: string | undefined;
  readonly uses?: string | undefined;
  readonly with: Readonly<Record<string, string>>;
  readonly runs?: string | undefined;
  readonly pipeline: readonly PipelineNode[];
  readonly inputs: Readonly<Record<string, PipelineInput>>;
  readonly needs?: { readonly packages: readonly string[] } | undefined;
  readonly assertions?: { readonly 'required-steps'?: number | undefined } | undefined;
  readonly 'working-directory'?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** One without anything after its name is an input, too. */
const inputSchema = optional(
  z.looseObject({ description: optional(text), default: optional(text), required: optional(flag) }),
).transform((input) => input ?? {});

export const pipelineNodeSchema: z.ZodType<PipelineNode> = z.looseObject({
  if: optional(text),
  name: optional(text),
  label: optional(text),
  description: optional(text),
  uses: optional(text),
  with: textMap,
  runs: optional(text),
  pipeline: list(z.lazy(() => pipelineNodeSchema)),
  inputs: mapOf(inputSchema),
  needs: optional(z.looseObject({ packages: texts })),
  assertions: optional(z.looseObject({ 'required-steps': optional(whole) })),
  'working-directory': optional(text),
  environment: textMap,
});

/** A `pipeline:` list. */
export const pipelineSchema = list(pipelineNodeSchema);
