/** Where one node of the walk stands. */
interface Frame {
  readonly node: string;
  readonly successors: readonly string[];
  next: number;
}

/**
 * The strongly connected components of a graph, each sorted by name, those that others lead to first: with edges from a
 * package to what it is built with, that is build order. Tarjan's algorithm without recursion, so that a long chain of
 * packages does not exhaust the stack. The same nodes and edges in the same order give the same answer.
 */
export function components(
  nodes: Iterable<string>,
  successorsOf: (node: string) => readonly string[],
): readonly (readonly string[])[] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const lower = (node: string, to: number) => low.set(node, Math.min(low.get(node) ?? to, to));

  function enter(node: string): Frame {
    const number = index.size;
    index.set(node, number);
    low.set(node, number);
    open.push(node);
    isOpen.add(node);
    return { node, successors: successorsOf(node), next: 0 };
  }

  for (const root of nodes) {
    if (index.has(root)) continue;
    const frames = [enter(root)];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const successor = frame.successors[frame.next];
      if (successor !== undefined) {
        frame.next += 1;
        const seen = index.get(successor);
        if (seen === undefined) frames.push(enter(successor));
        else if (isOpen.has(successor)) lower(frame.node, seen);
        continue;
      }
      frames.pop();
      const parent = frames.at(-1);
      const own = low.get(frame.node) ?? 0;
      if (parent !== undefined) lower(parent.node, own);
      if (own !== index.get(frame.node)) continue;
      const component = open.splice(open.lastIndexOf(frame.node));
      for (const member of component) isOpen.delete(member);
      found.push(component.toSorted());
    }
  }
  return found;
}
