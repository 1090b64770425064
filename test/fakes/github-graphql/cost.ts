import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';

/** GitHub's rules: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api */
const mostNodes = 500_000;
const mostInPage = 100;
const requestsPerPoint = 100;

export interface Cost {
  readonly points: number;
  readonly nodes: number;
  /** Where the query breaks a rule, in GitHub's words for it. */
  readonly problem?: { readonly type: string; readonly message: string };
}

type Variables = Readonly<Record<string, unknown>>;

/** What GitHub counts for a query: each connection as often as there are nodes above it, and the nodes that it may give. */
export function costOf(document: DocumentNode, variables: Variables): Cost {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const one of document.definitions) if (one.kind === Kind.FRAGMENT_DEFINITION) fragments.set(one.name.value, one);
  let requests = 0;
  let nodes = 0;
  let problem: Cost['problem'];

  function walk(selections: SelectionSetNode, above: number): void {
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (fragment !== undefined) walk(fragment.selectionSet, above);
        continue;
      }
      if (selection.selectionSet === undefined) continue;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        walk(selection.selectionSet, above);
        continue;
      }
      const size = selection.arguments?.find(({ name }) => name.value === 'first' || name.value === 'last')?.value;
      const isConnection = ['refs', 'releases'].includes(selection.name.value);
      if (size === undefined) {
        if (isConnection) {
          problem ??= {
            type: 'MISSING_PAGINATION_BOUNDARIES',
            message: `You must provide a \`first\` or \`last\` value to properly paginate the \`${selection.name.value}\` connection.`,
          };
        }
        walk(selection.selectionSet, above);
        continue;
      }
      const given = size.kind === Kind.VARIABLE ? variables[size.name.value] : size.kind === Kind.INT && size.value;
      const count = Number(given);
      if (count < 1 || count > mostInPage) {
        problem ??= {
          type: 'EXCESSIVE_PAGINATION',
          message: `Requesting ${count} records on the \`${selection.name.value}\` connection exceeds the \`first\` limit of 100 records.`,
        };
      }
      requests += above;
      nodes += above * count;
      walk(selection.selectionSet, above * count);
    }
  }

  for (const one of document.definitions) if (one.kind === Kind.OPERATION_DEFINITION) walk(one.selectionSet, 1);
  if (nodes > mostNodes) {
    problem ??= {
      type: 'MAX_NODE_LIMIT_EXCEEDED',
      message: `This query requests up to ${nodes} possible nodes which exceeds the maximum limit of 500,000.`,
    };
  }
  const points = Math.max(1, Math.round(requests / requestsPerPoint));
  return problem === undefined ? { points, nodes } : { points, nodes, problem };
}
