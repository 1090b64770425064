import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { git, tryGit } from '../git.ts';
import {
  listTree,
  objectType,
  type Person,
  readCommit,
  readTag,
  type TreeChange,
  writeBlob,
  writeCommit,
  writeTree,
} from '../objects.ts';
import { settlePulls } from '../pulls.ts';
import { isAncestor, listRefs, revision, updateRef } from '../refs.ts';
import { notFound, Refusal } from '../refusal.ts';
import { type Call, parseBody, repositoryRoute, writer } from '../route.ts';
import { gitCommitShape, refShape, tagObjectShape, treeShape } from '../shapes/git-data.ts';
import { apiUrl } from '../shapes/repository.ts';
import { nodeId } from '../shapes/user.ts';
import { personOf, type World } from '../state.ts';

const personSchema = z.object({
  name: z.string(),
  email: z.string(),
  date: z.iso.datetime({ offset: true }).optional(),
});
const sha = z.string().regex(/^[0-9a-f]{40}$/, 'is not a commit id');

const commitSchema = z.object({
  message: z.string().min(1),
  tree: sha,
  parents: z.array(sha).default([]),
  author: personSchema.optional(),
  committer: personSchema.optional(),
});

const treeSchema = z.object({
  base_tree: z.string().optional(),
  tree: z.array(
    z.object({
      path: z.string().min(1),
      mode: z.enum(['100644', '100755', '040000', '160000', '120000']).default('100644'),
      type: z.enum(['blob', 'tree', 'commit']).optional(),
      sha: sha.nullable().optional(),
      content: z.string().optional(),
    }),
  ),
});

function person(given: z.infer<typeof personSchema> | undefined, fallback: Person): Person {
  if (given === undefined) return fallback;
  const time = given.date === undefined ? fallback.time : Math.floor(Date.parse(given.date) / 1000);
  return { name: given.name, email: given.email, time };
}

/** The ref named in a path (`heads/main`), which may not leave `refs/`. */
function refName(call: Call): string {
  const name = (call.params['*'] ?? '').replace(/^refs\//, '');
  if (name === '' || name.split('/').some((part) => part === '' || part === '..')) throw notFound();
  return `refs/${name}`;
}

async function findRef(call: Call, name: string) {
  return (await listRefs(call.repository.directory, name)).find((ref) => ref.name === name);
}

/** Blobs, trees, commits, tags and refs: what a proposal is written with. */
export function gitDataRoutes(app: FastifyInstance, world: World): void {
  repositoryRoute(app, world, 'GET', '/git/ref/*', async (call) => {
    const ref = await findRef(call, refName(call));
    if (ref === undefined) throw notFound();
    return { body: refShape(world, call.repository, ref) };
  });

  repositoryRoute(app, world, 'GET', '/git/matching-refs/*', async (call) => {
    const refs = await listRefs(call.repository.directory, `refs/${call.params['*'] ?? ''}`);
    return { body: refs.map((ref) => refShape(world, call.repository, ref)) };
  });

  repositoryRoute(app, world, 'POST', '/git/refs', async (call) => {
    const { ref, sha: to } = parseBody(z.object({ ref: z.string(), sha }), call.body, 'Reference');
    const { directory } = call.repository;
    const wellFormed = (await tryGit(directory, ['check-ref-format', ref])).code === 0;
    if (!/^refs\/[^/]+\/./.test(ref) || !wellFormed) throw new Refusal(422, 'Reference name is not valid');
    if ((await objectType(directory, to)) === undefined) throw new Refusal(422, 'Object does not exist');
    if (!(await updateRef(directory, ref, to, ''))) throw new Refusal(422, 'Reference already exists');
    await settlePulls(world, call.repository, writer(call));
    const made = await findRef(call, ref);
    return { status: 201, body: refShape(world, call.repository, made ?? { name: ref, sha: to, type: 'commit' }) };
  });

  repositoryRoute(app, world, 'PATCH', '/git/refs/*', async (call) => {
    const name = refName(call);
    const body = parseBody(z.object({ sha, force: z.boolean().default(false) }), call.body, 'Reference');
    const { directory } = call.repository;
    const before = await findRef(call, name);
    if (before === undefined) throw new Refusal(422, 'Reference does not exist');
    if ((await objectType(directory, body.sha)) === undefined) throw new Refusal(422, 'Object does not exist');
    if (!body.force && !(await isAncestor(directory, before.sha, body.sha))) {
      throw new Refusal(422, 'Update is not a fast forward');
    }
    if (!(await updateRef(directory, name, body.sha, before.sha)))
      throw new Refusal(409, 'Reference cannot be updated');
    await settlePulls(world, call.repository, writer(call));
    return { body: refShape(world, call.repository, { ...before, sha: body.sha }) };
  });

  repositoryRoute(app, world, 'DELETE', '/git/refs/*', async (call) => {
    const before = await findRef(call, refName(call));
    if (before === undefined) throw new Refusal(422, 'Reference does not exist');
    await git(call.repository.directory, ['update-ref', '-d', before.name, before.sha]);
    await settlePulls(world, call.repository, writer(call));
    return { status: 204 };
  });

  repositoryRoute(app, world, 'GET', '/git/commits/:sha', async (call) => {
    const commit = await readCommit(call.repository.directory, call.params['sha'] ?? '');
    if (commit === undefined) throw notFound();
    return { body: gitCommitShape(world, call.repository, commit) };
  });

  repositoryRoute(app, world, 'POST', '/git/commits', async (call) => {
    const body = parseBody(commitSchema, call.body, 'Commit');
    const { directory } = call.repository;
    if ((await objectType(directory, body.tree)) !== 'tree') throw new Refusal(422, 'Tree SHA does not exist');
    for (const parent of body.parents) {
      if ((await objectType(directory, parent)) !== 'commit')
        throw new Refusal(422, 'Parent SHA does not exist or is not a commit object');
    }
    const parentTime = (await readCommit(directory, body.parents[0] ?? ''))?.committer.time;
    const author = person(body.author, personOf(world, writer(call), parentTime));
    const committer = person(body.committer, author);
    const commit = { tree: body.tree, parents: body.parents, message: body.message, author, committer };
    const made = await writeCommit(directory, commit);
    return { status: 201, body: gitCommitShape(world, call.repository, { sha: made, ...commit }) };
  });

  repositoryRoute(app, world, 'GET', '/git/tags/:sha', async (call) => {
    const tag = await readTag(call.repository.directory, call.params['sha'] ?? '');
    if (tag === undefined) throw notFound();
    return { body: tagObjectShape(world, call.repository, tag) };
  });

  repositoryRoute(app, world, 'GET', '/git/trees/*', async (call) => {
    const { directory } = call.repository;
    const tree = await revision(directory, `${call.params['*'] ?? ''}^{tree}`);
    if (tree === undefined) throw notFound();
    // GitHub: any value of `recursive`, even `0`, makes it so.
    const lines = await listTree(directory, tree, call.query['recursive'] !== undefined);
    return { body: treeShape(world, call.repository, tree, lines) };
  });

  repositoryRoute(app, world, 'POST', '/git/trees', async (call) => {
    const body = parseBody(treeSchema, call.body, 'Tree');
    const { directory } = call.repository;
    const base = body.base_tree === undefined ? undefined : await revision(directory, `${body.base_tree}^{tree}`);
    if (body.base_tree !== undefined && base === undefined) throw notFound();
    const changes: TreeChange[] = [];
    for (const entry of body.tree) {
      if (entry.content !== undefined) {
        changes.push({ path: entry.path, mode: entry.mode, sha: await writeBlob(directory, entry.content) });
        continue;
      }
      if (entry.sha === undefined) throw new Refusal(422, 'Must supply either tree.sha or tree.content');
      if (entry.sha !== null && entry.mode !== '160000' && (await objectType(directory, entry.sha)) === undefined) {
        throw new Refusal(422, `tree.sha ${entry.sha} is not a valid object`);
      }
      changes.push({ path: entry.path, mode: entry.mode, sha: entry.sha ?? undefined });
    }
    const tree = await writeTree(directory, base, changes);
    return { status: 201, body: treeShape(world, call.repository, tree, await listTree(directory, tree, false)) };
  });

  repositoryRoute(app, world, 'GET', '/git/blobs/:sha', async (call) => {
    const name = call.params['sha'] ?? '';
    const run = await tryGit(call.repository.directory, ['cat-file', 'blob', name]);
    if (run.code !== 0) throw notFound();
    return {
      body: {
        sha: name,
        node_id: nodeId('Blob', `${call.repository.id}:${name}`),
        size: run.stdout.length,
        url: `${apiUrl(world, call.repository)}/git/blobs/${name}`,
        content: run.stdout.toString('base64').replace(/(.{60})/g, '$1\n'),
        encoding: 'base64',
      },
    };
  });

  repositoryRoute(app, world, 'POST', '/git/blobs', async (call) => {
    const schema = z.object({ content: z.string(), encoding: z.enum(['utf-8', 'base64']).default('utf-8') });
    const { content, encoding } = parseBody(schema, call.body, 'Blob');
    const bytes = Buffer.from(content, encoding === 'base64' ? 'base64' : 'utf8');
    const made = await writeBlob(call.repository.directory, bytes);
    return { status: 201, body: { sha: made, url: `${apiUrl(world, call.repository)}/git/blobs/${made}` } };
  });
}
