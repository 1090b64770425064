import { schema } from '@octokit/graphql-schema';
import { buildSchema, type GraphQLSchema } from 'graphql';

let loaded: GraphQLSchema | undefined;

/** GitHub's published schema. */
export function gitHubSchema(): GraphQLSchema {
  loaded ??= buildSchema(schema.idl, { assumeValid: true });
  return loaded;
}
