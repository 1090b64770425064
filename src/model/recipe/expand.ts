import { type ErrorWhere, RegrowError } from '../../errors.ts';
import { evaluateCondition } from './condition.ts';
import { checkVariables } from './fields.ts';
import { type InputDefaults, inputScope, resolveGiven, resolveInputs } from './inputs.ts';
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
  /** Takes a pipeline that the library does not have, instead of the error. */
  readonly unknown?: ((name: string) => void) | undefined;
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
    const required = node.assertions?.['required-steps'];
    if (required !== undefined && steps.length !== required) {
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
    if (entered.native !== undefined) options.unknown?.(entered.native);
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
  const holds = (condition: string | undefined, scope: Scope): boolean =>
    condition === undefined || evaluateCondition(condition, scope, { ...where, field: `${field}.if` });
  const { uses } = written;
  const native = uses !== undefined && isNativePipeline(uses) ? uses : undefined;
  let node = written;
  let inputs: ReadonlyMap<string, string>;
  if (uses === undefined) {
    if (frame.open.length === 0 && Object.keys(written.with).length > 0) throw withoutUses(where);
    inputs = resolveGiven(written.with, frame.scope, where);
  } else {
    if (written.runs !== undefined) throw twoWays(uses, where);
    if (frame.open.includes(uses)) throw circle(uses, frame.open, where);
    let declared: InputDefaults;
    if (native === undefined) {
      const definition = options.pipelines.get(uses);
      if (definition === undefined) {
        if (holds(written.if, frame.scope)) unknownPipeline(uses, options, where);
        return undefined;
      }
      node = includePipeline(written, definition);
      declared = inputDefaults(definition.inputs);
    } else {
      declared = nativeInputs(native);
    }
    inputs = resolveInputs(uses, written.with, declared, frame.scope, where);
  }
  const scope = inputScope(inputs, frame.scope);
  if (!holds(node.if, scope)) return undefined;
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

function unknownPipeline(uses: string, options: ExpandOptions, where: ErrorWhere): void {
  if (options.unknown !== undefined) {
    options.unknown(uses);
    return;
  }
  throw new RegrowError('recipe.pipeline-unknown', `${where.package}: ${where.field}: there is no pipeline ${uses}`, {
    ...where,
    remedy: `put it in pipelines/${uses}.yaml beside the recipes`,
  });
}

function circle(uses: string, open: readonly string[], where: ErrorWhere): RegrowError {
  const names = [...open.slice(open.indexOf(uses)), uses].join(' → ');
  const message = `${where.package}: pipelines that use themselves: ${names}`;
  return new RegrowError('recipe.include-cycle', message, { ...where, remedy: 'take one of these `uses` away' });
}

function withoutUses(where: ErrorWhere): RegrowError {
  const message = `${where.package}: ${where.field} has \`with\`, but no \`uses\` that takes it`;
  return new RegrowError('recipe.malformed', message, { ...where, remedy: 'say what it uses, or take `with` out' });
}

function twoWays(uses: string, where: ErrorWhere): RegrowError {
  const message = `${where.package}: ${where.field} has both \`uses: ${uses}\` and \`runs\``;
  return new RegrowError('recipe.malformed', message, { ...where, remedy: 'make them two steps' });
}

function absolute(directory: string): string {
  if (directory.startsWith('/')) return directory;
  const relative = directory.replace(/^(?:\.\/+)+/, '');
  return relative === '' || relative === '.' ? workDirectory : `${workDirectory}/${relative}`;
}
