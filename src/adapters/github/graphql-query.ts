import type { PageWanted, ReleaseList, RepositoryQuestion } from '../../ports/releases.ts';

export interface GraphQLQuery {
  readonly text: string;
  readonly variables: Readonly<Record<string, string | number | null>>;
  /** What GitHub takes for it, at most. */
  readonly points: number;
}

/** Connections in one query that cost one point. */
const connectionsPerPoint = 100;

const page = 'pageInfo { hasNextPage endCursor }';
/** A tag is a commit, or a tag object that points at a commit, or, rarely, at another tag object. */
const commit = '... on Commit { committedDate }';
const fields: Readonly<Record<ReleaseList, string>> = {
  releases: `nodes { tagName isDraft isPrerelease publishedAt url tagCommit { oid } } ${page}`,
  tags: `nodes { name target { __typename oid ${commit}
    ... on Tag { tagger { date } target { __typename oid ${commit}
      ... on Tag { target { __typename oid ${commit} } } } } } } ${page}`,
};

/** One alias for each repository, `r0` for the first; in it the lists that are wanted, under their names. */
export function writeQuery(questions: readonly RepositoryQuestion[]): GraphQLQuery {
  const variables: Record<string, string | number | null> = {};
  const types: string[] = [];
  let connections = 0;

  const variable = (name: string, type: string, value: string | number | null): string => {
    variables[name] = value;
    types.push(`$${name}: ${type}`);
    return `$${name}`;
  };
  const list = (name: string, index: number, wanted: PageWanted | undefined, of: string, order: string): string => {
    if (wanted === undefined) return '';
    connections += 1;
    const after =
      wanted.after === undefined ? '' : `, after: ${variable(`${name}After${index}`, 'String!', wanted.after)}`;
    return `${name}: ${of}first: ${wanted.size}${after}, orderBy: {field: ${order}, direction: DESC}) { ...${name}Page }`;
  };
  const repositories = questions.map(({ owner, repository, pages }, index) => {
    const at = `owner: ${variable(`owner${index}`, 'String!', owner)}, name: ${variable(`name${index}`, 'String!', repository)}`;
    const lists = [
      list('releases', index, pages.releases, 'releases(', 'CREATED_AT'),
      list('tags', index, pages.tags, 'refs(refPrefix: "refs/tags/", ', 'TAG_COMMIT_DATE'),
    ];
    return `  r${index}: repository(${at}) { ${lists.filter((text) => text !== '').join(' ')} }`;
  });
  const used = (name: ReleaseList, type: string): string =>
    questions.some(({ pages }) => pages[name] !== undefined)
      ? `\nfragment ${name}Page on ${type} { ${fields[name]} }`
      : '';
  const text = `query(${types.join(', ')}) {
  rateLimit { cost limit remaining used resetAt }
${repositories.join('\n')}
}${used('releases', 'ReleaseConnection')}${used('tags', 'RefConnection')}`;
  return { text, variables, points: Math.max(1, Math.ceil(connections / connectionsPerPoint)) };
}
