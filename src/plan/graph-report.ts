import { type BuildGraph, buildOrder, graphCycles, graphDepth } from './graph.ts';

/** The build graph in figures. */
export interface GraphReport {
  readonly recipes: number;
  readonly packages: number;
  readonly edges: number;
  /** Needs that no recipe provides. */
  readonly unresolved: number;
  /** Sizes, largest first. */
  readonly cycles: readonly number[];
  readonly depth: number;
}

/** With the members of the cycles, for whoever wants them. */
export interface GraphDetails {
  readonly report: GraphReport;
  readonly cycles: readonly (readonly string[])[];
}

export function describeGraph(graph: BuildGraph): GraphDetails {
  const order = buildOrder(graph);
  const cycles = graphCycles(order);
  const report = {
    recipes: graph.origins.length,
    packages: graph.packages,
    edges: graph.edges,
    unresolved: graph.unresolved.length,
    cycles: cycles.map((members) => members.length),
    depth: graphDepth(graph, order),
  };
  return { report, cycles };
}
