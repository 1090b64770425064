import { reportError } from '../../errors.ts';
import { digestOf } from '../../model/canonical.ts';
import type { Problem } from '../../model/plan.ts';
import { createPipelineLibrary, type PipelineLibrary } from '../../model/recipe/pipeline.ts';
import { parseRecipe, type Recipe } from '../../model/recipe/recipe.ts';
import { resolveRecipe, usedPipelines } from '../../model/recipe/resolve.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import { parseTarget, type TargetName } from '../../model/target.ts';
import type { GitFile } from '../../ports/git.ts';
import type { ConductorContext } from './context.ts';

/** A recipe as it stands at one commit. */
export interface RecipeFile {
  readonly path: string;
  readonly blob: string;
  readonly text: string;
  readonly recipe: Recipe;
}

/** What the recipes of one commit find beside themselves there. */
export interface RecipeSurroundings {
  readonly pipelines: PipelineLibrary;
  resolve(file: RecipeFile, target: TargetName): ResolvedRecipe;
  /** Texts of the pipelines that a recipe uses, by name. */
  pipelinesOf(file: RecipeFile): Readonly<Record<string, string>>;
  /** Files in the folder beside a recipe, base64 by path below that folder. */
  filesOf(file: RecipeFile): Promise<Readonly<Record<string, string>>>;
}

/** The recipes of one commit, and what they need. */
export interface RecipeTree extends RecipeSurroundings {
  readonly commit: string;
  /** Committer time, seconds since 1970. */
  readonly time: number;
  readonly recipes: ReadonlyMap<string, RecipeFile>;
  readonly problems: ReadonlyMap<string, Problem>;
  /** A word for the files beside a recipe, another one when one of them is another; empty where there are none. */
  besideOf(file: RecipeFile): string;
  /** Paths and texts of image definitions. */
  readonly images: readonly { readonly path: string; readonly text: string }[];
}

/** The pipelines of a commit: the distribution's own before regrow's. */
interface Library {
  readonly key: string;
  readonly texts: ReadonlyMap<string, string>;
  readonly pipelines: PipelineLibrary;
}

/** Listings of commits that are kept: a round looks at a proposal's head for every recipe that it changes. */
const keptListings = 32;
const decoder = new TextDecoder();

/** Reads recipe trees; what did not change since the last one (by blob) is neither read nor parsed nor resolved again. */
export function createRecipeReader(context: ConductorContext) {
  const { repository, settings, builtinPipelines } = context;
  const root = settings.recipesPath === '.' ? '' : `${settings.recipesPath}/`;
  const images = `${settings.imagesPath}/`;
  const texts = new Map<string, string>();
  const parsed = new Map<string, RecipeFile | Problem>();
  const resolved = new Map<string, ResolvedRecipe>();
  const libraries = new Map<string, Library>();
  const listings = new Map<string, Promise<ReadonlyMap<string, GitFile>>>();
  const beside = new Map<string, readonly GitFile[]>();
  const around = new Map<string, RecipeSurroundings>();
  const differences = new Map<string, boolean>();
  // What a commit holds never changes; of an open proposal it is asked again with every round.
  const others = new Map<string, RecipeFile | Problem | undefined>();
  const times = new Map<string, number>();
  let last: RecipeTree | undefined;

  /** A daemon that runs for months would otherwise remember every version of every recipe. */
  function forgetOld(files: number): void {
    const most = 4 * files + 1000;
    const memories = [texts, parsed, resolved, others, times, libraries, beside, around, differences];
    for (const memory of memories) if (memory.size > most) memory.clear();
  }

  /** Every file of a commit by path. */
  function list(commit: string): Promise<ReadonlyMap<string, GitFile>> {
    const known = listings.get(commit);
    if (known !== undefined) {
      // Last in, last out.
      listings.delete(commit);
      listings.set(commit, known);
      return known;
    }
    const listing = repository.files(commit).then((files) => new Map(files.map((file) => [file.path, file])));
    listings.set(commit, listing);
    listing.catch(() => listings.delete(commit));
    for (const oldest of listings.keys()) {
      if (listings.size <= keptListings) break;
      listings.delete(oldest);
    }
    return listing;
  }

  const isYaml = (path: string) => /\.ya?ml$/.test(path) && !path.split('/').at(-1)?.startsWith('.');

  async function readLibrary(files: Iterable<GitFile>): Promise<Library> {
    const folder = `${root}pipelines/`;
    const found = [...files].filter(({ path }) => isYaml(path) && path.startsWith(folder));
    const key = digestOf(found.map(({ path, blob }) => [path, blob]));
    const known = libraries.get(key);
    if (known !== undefined) return known;
    await readTexts(found);
    const own = found.map(({ path, blob }) => {
      return [path.slice(folder.length).replace(/\.ya?ml$/, ''), texts.get(blob) ?? ''] as const;
    });
    const all = new Map([...builtinPipelines, ...own]);
    const library = { key, texts: all, pipelines: createPipelineLibrary(all) };
    libraries.set(key, library);
    return library;
  }

  function surroundings(commit: string, library: Library): RecipeSurroundings {
    const { pipelines, texts: pipelineTexts } = library;
    return {
      pipelines,
      resolve(file, target) {
        const key = `${library.key} ${target} ${file.blob}`;
        const known = resolved.get(key);
        if (known !== undefined) return known;
        const value = resolveRecipe(file.recipe, { target: parseTarget(target), pipelines, file: file.path });
        resolved.set(key, value);
        return value;
      },
      pipelinesOf(file) {
        const names = usedPipelines(file.recipe, pipelines);
        return Object.fromEntries(
          names.flatMap((name) => {
            const text = pipelineTexts.get(name);
            return text === undefined ? [] : [[name, text]];
          }),
        );
      },
      async filesOf(file) {
        const folder = file.path.replace(/\.ya?ml$/, '/');
        const key = `${commit} ${folder}`;
        const found =
          beside.get(key) ?? [...(await list(commit)).values()].filter(({ path }) => path.startsWith(folder));
        beside.set(key, found);
        if (found.length === 0) return {};
        const contents = await repository.read(found.map(({ blob }) => blob));
        return Object.fromEntries(
          found.map(({ path, blob }) => [
            path.slice(folder.length),
            Buffer.from(contents.get(blob) ?? []).toString('base64'),
          ]),
        );
      },
    };
  }

  async function readTexts(files: readonly GitFile[]): Promise<void> {
    const wanted = files.map((file) => file.blob).filter((blob) => !texts.has(blob));
    if (wanted.length === 0) return;
    for (const [blob, bytes] of await repository.read(wanted)) texts.set(blob, decoder.decode(bytes));
  }

  function parse(file: GitFile): RecipeFile | Problem {
    const key = `${file.path} ${file.blob}`;
    const known = parsed.get(key);
    if (known !== undefined) return known;
    const text = texts.get(file.blob) ?? '';
    let result: RecipeFile | Problem;
    try {
      const { recipe } = parseRecipe(file.path, text);
      result = { path: file.path, blob: file.blob, text, recipe };
    } catch (thrown) {
      result = recipeProblem(file.path, thrown);
    }
    parsed.set(key, result);
    return result;
  }

  return {
    /** The recipes at a commit. A recipe that cannot be read is a problem of that recipe alone. */
    async read(commit: string): Promise<RecipeTree> {
      if (last?.commit === commit) return last;
      const { time } = await repository.commit(commit);
      const files = [...(await list(commit)).values()];
      forgetOld(files.length);
      const recipeFiles = files.filter(
        ({ path }) => isYaml(path) && path.startsWith(root) && !path.slice(root.length).includes('/'),
      );
      const imageFiles = files.filter(({ path }) => isYaml(path) && path.startsWith(images));
      await readTexts([...recipeFiles, ...imageFiles]);
      const library = await readLibrary(files);

      const recipes = new Map<string, RecipeFile>();
      const problems = new Map<string, Problem>();
      for (const file of recipeFiles) {
        const one = parse(file);
        if ('area' in one) {
          problems.set(one.name, one);
          continue;
        }
        const { name } = one.recipe.package;
        const other = recipes.get(name);
        if (other === undefined) recipes.set(name, one);
        else {
          const message = `${other.path} and ${one.path} both make ${name}; the first one counts`;
          problems.set(name, {
            area: 'recipe',
            name,
            code: 'recipe.malformed',
            message,
            file: one.path,
            field: 'package.name',
          });
        }
      }

      const stamps = stampFolders(files, root);
      last = {
        commit,
        time,
        recipes,
        problems,
        besideOf: ({ path }) => stamps.get(path.replace(/\.ya?ml$/, '/')) ?? '',
        images: imageFiles.map(({ path, blob }) => ({ path, text: texts.get(blob) ?? '' })),
        ...surroundings(commit, library),
      };
      return last;
    },

    /** One recipe of another commit, a proposal's, or what is wrong with it; undefined when the path is not there. */
    async readOne(commit: string, path: string): Promise<RecipeFile | Problem | undefined> {
      const key = `${commit} ${path}`;
      if (others.has(key)) return others.get(key);
      const file = (await list(commit)).get(path);
      if (file !== undefined) await readTexts([file]);
      const one = file === undefined ? undefined : parse(file);
      others.set(key, one);
      return one;
    },

    /** What recipes of another commit, a proposal's, find beside themselves: it may change those files too. */
    async around(commit: string): Promise<RecipeSurroundings> {
      const known = around.get(commit);
      if (known !== undefined) return known;
      const found = surroundings(commit, await readLibrary((await list(commit)).values()));
      around.set(commit, found);
      return found;
    },

    /** Whether one of the files is another one at the second commit than at the first, or is there at one of them alone. */
    async differs(one: string, other: string, paths: readonly string[]): Promise<boolean> {
      if (one === other || paths.length === 0) return false;
      const key = `${one} ${other} ${digestOf(paths)}`;
      const known = differences.get(key);
      if (known !== undefined) return known;
      const [before, after] = [await list(one), await list(other)];
      const found = paths.some((path) => before.get(path)?.blob !== after.get(path)?.blob);
      differences.set(key, found);
      return found;
    },

    /** Committer time of a commit, seconds since 1970. */
    async timeOf(commit: string): Promise<number> {
      const time = times.get(commit) ?? (await repository.commit(commit)).time;
      times.set(commit, time);
      return time;
    },
  };
}

/** The digest of what is in each folder right below the root, by the folder's path. */
function stampFolders(files: readonly GitFile[], root: string): ReadonlyMap<string, string> {
  const folders = new Map<string, string[]>();
  for (const { path, blob } of files) {
    const end = path.indexOf('/', root.length);
    if (end === -1 || !path.startsWith(root)) continue;
    const folder = path.slice(0, end + 1);
    const known = folders.get(folder);
    if (known === undefined) folders.set(folder, [path, blob]);
    else known.push(path, blob);
  }
  return new Map([...folders].map(([folder, contents]) => [folder, digestOf(contents)]));
}

export type RecipeReader = ReturnType<typeof createRecipeReader>;

export function recipeProblem(path: string, thrown: unknown): Problem {
  const name =
    path
      .split('/')
      .at(-1)
      ?.replace(/\.ya?ml$/, '') ?? path;
  // An error in a pipeline that the recipe uses says which file it is in.
  const { code, message, remedy, file = path, line, field } = reportError(thrown);
  return {
    area: 'recipe',
    name,
    code,
    message,
    file,
    ...(remedy === undefined ? {} : { remedy }),
    ...(line === undefined ? {} : { line }),
    ...(field === undefined ? {} : { field }),
  };
}
