/**
 * A recipe with everything that is known before a build put in: variables, transforms, ranges, conditions, inputs, and
 * pipelines expanded to steps. Paths inside the sandbox are those of melange: work in `/home/build`, packages in
 * `/home/build/melange-out/NAME`.
 */
export interface ResolvedStep {
  /** What the log calls it. */
  readonly label: string;
  /** `fetch` and `git-checkout` stay as they are: the engine does them itself, outside of the sandbox. */
  readonly native?: { readonly uses: 'fetch' | 'git-checkout'; readonly with: Readonly<Record<string, string>> };
  /** Shell text. */
  readonly runs?: string;
  /** Absolute directory inside the sandbox. */
  readonly workingDirectory: string;
  /** What the step adds to the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly ResolvedStep[];
}

export interface ResolvedTest {
  /** Packages besides the tested one. */
  readonly packages: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly ResolvedStep[];
}

/** The origin package or one of its subpackages. */
export interface ResolvedPackage {
  readonly name: string;
  readonly description: string;
  readonly url: string;
  readonly commit: string;
  readonly licenses: readonly string[];
  /** Of licences that SPDX does not know (`LicenseRef-…`): the file in the build directory that has the text. */
  readonly licenseFiles?: Readonly<Record<string, string>>;
  readonly depends: readonly string[];
  readonly provides: readonly string[];
  readonly replaces: readonly string[];
  readonly providerPriority?: number;
  readonly replacesPriority?: number;
  readonly options: {
    readonly noProvides: boolean;
    readonly noDepends: boolean;
    readonly noCommands: boolean;
    readonly noVersionedShlibDeps: boolean;
  };
  readonly scriptlets: Readonly<
    Record<
      'pre-install' | 'post-install' | 'pre-deinstall' | 'post-deinstall' | 'pre-upgrade' | 'post-upgrade',
      string | undefined
    >
  >;
  readonly trigger?: { readonly script: string; readonly paths: readonly string[] };
  readonly steps: readonly ResolvedStep[];
  readonly test?: ResolvedTest;
}

export interface ResolvedRecipe {
  readonly name: string;
  readonly version: string;
  readonly epoch: number;
  /** `VERSION-rEPOCH` */
  readonly fullVersion: string;
  readonly arch: string;
  /** False when `target-architecture` leaves this one out. */
  readonly forThisArch: boolean;
  /** Build environment: packages asked for by the recipe and by the `needs` of every pipeline that it uses, sorted, once each. */
  readonly environment: { readonly packages: readonly string[]; readonly variables: Readonly<Record<string, string>> };
  /** The origin first, then subpackages whose `if` holds, in the recipe's order. */
  readonly packages: readonly [ResolvedPackage, ...ResolvedPackage[]];
}
