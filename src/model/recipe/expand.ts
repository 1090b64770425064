import { type ErrorWhere, RegrowError } from '../../errors.ts';
import { evaluateCondition } from './condition.ts';
import { checkVariables } from './fields.ts';
import { isNativePipeline, type NativePipeline, nativeInputs } from './native-pipelines.ts';
import { includePipeline, inputDefaults, type PipelineLibrary } from './pipeline.ts';
import type { PipelineNode } from './pipeline-node.ts';
import type { ResolvedStep } from './resolved.ts';
import { type Scope, substitute, substituteKnown } from './substitute.ts';
import { workDirectory } from './variables.ts';

/** What expanding the pipelines of one package is given. */
export interface ExpandOptions {
  readonly package: string;
  readonly file?: string | undefined;
  readonly pipelines: PipelineLibrary;
  /** Variables of the package that the pipelines belong to, without inputs. */
  readonly scope: Scope;
  /** Takes a package that a pipeline needs in the build environment. */
  readonly need: (packageName: string) => void;
  /** Takes a pipeline that the library does not have, with its inputs, instead of the error. */
  readonly unknown?: ((name: string, inputs: Readonly<Record<string, string>>) => void) | undefined;
}

/** Where in a recipe the walk is. */
interface Frame {
  /** With the inputs of the pipeline that the nodes stand in. */
  readonly scope: Scope;
  /** Names of the pipelines that the nodes are inside of. */
  readonly open: readonly string[];
  readonly workingDirectory: string;
  /** Path of the list, `pipeline` or `subpackages.0.pipeline`. */
  readonly field: string;
}

/** A node whose condition holds, with its pipeline put in and its inputs known. */
interface Entered {
  readonly node: PipelineNode;
  readonly inputs: Readonly<Record<string, string>>;
  readonly native?: NativePipeline;
  readonly frame: Frame;
  readonly where: ErrorWhere;
}

/**
 * A `pipeline:` list as steps. Throws recipe.pipeline-unknown, recipe.include-cycle, recipe.variable-unknown,
 * recipe.condition-invalid, and recipe.malformed for an input that is missing.
 */
export function expandPipeline(nodes: readonly PipelineNode[], options: ExpandOptions, field: string): ResolvedStep[] {
  return expandSteps(nodes, options, firstFrame(options, field));
}

/** Gives the packages that a `pipeline:` list needs to `need`, and leaves its shell text alone: several times as fast. */
export function collectNeeds(nodes: readonly PipelineNode[], options: ExpandOptions, field: string): void {
  visitNeeds(nodes, options, firstFrame(options, field));
}

/** Names of all pipelines that a list uses, and that those use, whatever their conditions say. */
export function pipelineNames(nodes: readonly PipelineNode[], pipelines: PipelineLibrary, into: Set<string>): void {
  for (const { uses, pipeline } of nodes) {
    pipelineNames(pipeline, pipelines, into);
    if (uses === undefined || isNativePipeline(uses) || into.has(uses)) continue;
    const definition = pipelines.get(uses);
    if (definition === undefined) continue;
    into.add(uses);
    pipelineNames([definition], pipelines, into);
  }
}

function firstFrame(options: ExpandOptions, field: string): Frame {
  return { scope: options.scope, open: [], workingDirectory: workDirectory, field };
}

function expandSteps(nodes: readonly PipelineNode[], options: ExpandOptions, frame: Frame): ResolvedStep[] {
  return nodes.flatMap((written, index) => {
    const entered = enter(written, index, options, frame);
    if (entered === undefined) return [];
    const { node, native, inputs, frame: inner, where } = entered;
    takeNeeds(entered, options);
    const steps = native === undefined ? expandSteps(node.pipeline, options, inner) : [];
    const required = node.assertions?.['required-steps'] ?? 0;
    if (steps.length < required) {
      const message = `${where.package}: ${where.field}: ${required} steps have to run and ${steps.length} do`;
      throw new RegrowError('recipe.malformed', message, { ...where, remedy: 'check the conditions of the steps' });
    }
    const environment = Object.entries(node.environment).map(([name, value]): [string, string] => [
      name,
      substitute(value, inner.scope, where),
    ]);
    checkVariables(environment, { ...where, field: `${where.field}.environment` });
    return [
      {
        label: substituteKnown(node.name ?? node.label ?? node.uses ?? 'runs', inner.scope),
        ...(native === undefined ? {} : { native: { uses: native, with: inputs } }),
        ...(node.runs === undefined || native !== undefined ? {} : { runs: substitute(node.runs, inner.scope, where) }),
        workingDirectory: inner.workingDirectory,
        environment: Object.fromEntries(environment),
        steps,
      },
    ];
  });
}

function visitNeeds(nodes: readonly PipelineNode[], options: ExpandOptions, frame: Frame): void {
  nodes.forEach((written, index) => {
    // Shell text needs nothing, and is most of what there is.
    if (written.uses === undefined && written.needs === undefined && written.pipeline.length === 0) return;
    const entered = enter(written, index, options, frame);
    if (entered === undefined) return;
    takeNeeds(entered, options);
    if (entered.native !== undefined) options.unknown?.(entered.native, entered.inputs);
    else visitNeeds(entered.node.pipeline, options, entered.frame);
  });
}

function takeNeeds({ node, frame, where }: Entered, options: ExpandOptions): void {
  for (const name of node.needs?.packages ?? []) options.need(substitute(name, frame.scope, where));
}

/** Undefined where the condition does not hold, or the pipeline is unknown and that is wanted. */
function enter(written: PipelineNode, index: number, options: ExpandOptions, frame: Frame): Entered | undefined {
  const field = `${frame.field}.${index}`;
  const where: ErrorWhere = {
    package: options.package,
    field,
    ...(options.file === undefined ? {} : { file: options.file }),
  };
  if (written.if !== undefined && !evaluateCondition(written.if, frame.scope, { ...where, field: `${field}.if` })) {
    return undefined;
  }
  const { uses } = written;
  const given = Object.entries(written.with).map(
    ([key, value]) => [key, substitute(value, frame.scope, where)] as const,
  );
  let node = written;
  let inputs = new Map(given);
  let scope = frame.scope;
  const native = uses !== undefined && isNativePipeline(uses) ? uses : undefined;
  if (native !== undefined) {
    inputs = withDefaults(native, inputs, nativeInputs(native), options.scope, where);
  } else if (uses !== undefined) {
    if (frame.open.includes(uses)) {
      const circle = [...frame.open.slice(frame.open.indexOf(uses)), uses].join(' → ');
      throw new RegrowError('recipe.include-cycle', `${options.package}: pipelines that use themselves: ${circle}`, {
        ...where,
        remedy: 'take one of these `uses` away',
      });
    }
    const definition = options.pipelines.get(uses);
    if (definition === undefined) return unknownPipeline(uses, inputs, options, where);
    node = includePipeline(written, definition);
    inputs = withDefaults(uses, inputs, inputDefaults(definition.inputs), options.scope, where);
    scope = inputScope(inputs, options.scope);
    if (definition.if !== undefined && !evaluateCondition(definition.if, scope, where)) return undefined;
  } else if (inputs.size > 0) {
    scope = inputScope(inputs, frame.scope);
  }
  const directory = node['working-directory'];
  return {
    node,
    inputs: Object.fromEntries(inputs),
    ...(native === undefined ? {} : { native }),
    frame: {
      scope,
      open: uses === undefined || native !== undefined ? frame.open : [...frame.open, uses],
      workingDirectory:
        directory === undefined ? frame.workingDirectory : absolute(substitute(directory, scope, where)),
      field: `${field}.pipeline`,
    },
    where,
  };
}

function unknownPipeline(
  uses: string,
  inputs: ReadonlyMap<string, string>,
  options: ExpandOptions,
  where: ErrorWhere,
): undefined {
  if (options.unknown !== undefined) {
    options.unknown(uses, Object.fromEntries(inputs));
    return undefined;
  }
  throw new RegrowError('recipe.pipeline-unknown', `${options.package}: ${where.field}: there is no pipeline ${uses}`, {
    ...where,
    remedy: `put it in pipelines/${uses}.yaml beside the recipes`,
  });
}

/** An input that is given as empty counts as not given. Defaults may use the package's variables. */
function withDefaults(
  uses: string,
  given: ReadonlyMap<string, string>,
  defaults: Readonly<Record<string, string | undefined>>,
  scope: Scope,
  where: ErrorWhere,
): Map<string, string> {
  const inputs = new Map(given);
  for (const [name, value] of Object.entries(defaults)) {
    if ((inputs.get(name) ?? '') !== '') continue;
    if (value === undefined) {
      throw new RegrowError('recipe.malformed', `${where.package}: ${where.field}: ${uses} needs the input ${name}`, {
        ...where,
        field: `${where.field}.with.${name}`,
        remedy: `give ${name} under \`with\``,
      });
    }
    inputs.set(name, substitute(value, inputScope(inputs, scope), where));
  }
  return inputs;
}

function inputScope(inputs: ReadonlyMap<string, string>, outer: Scope): Scope {
  const prefix = 'inputs.';
  return (name) => (name.startsWith(prefix) ? inputs.get(name.slice(prefix.length)) : undefined) ?? outer(name);
}

function absolute(directory: string): string {
  if (directory.startsWith('/')) return directory;
  const relative = directory.replace(/^(?:\.\/+)+/, '');
  return relative === '' || relative === '.' ? workDirectory : `${workDirectory}/${relative}`;
}
