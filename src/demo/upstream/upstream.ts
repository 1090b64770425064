/** One release of a project as its people make it: a commit, a tag, and where they do so a release with files. */
export interface UpstreamRelease {
  readonly version: string;
  readonly tag: string;
  /** Text of the annotated tag; left out: a lightweight one. */
  readonly tagMessage?: string;
  /** ISO 8601: fixed, so that commits and archives have the same bytes wherever the demo runs. */
  readonly at: string;
  readonly message: string;
  /** The whole tree, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** `undefined`: the project only tags. */
  readonly notes?: string;
  /** Name of a release file that holds the archive of the tag. */
  readonly asset?: string;
}

/** An upstream project of the distribution in a box: `https://github.com/regrow-box/NAME`. */
export interface UpstreamProject {
  readonly name: string;
  readonly description: string;
  /** The first is there at the beginning, the others come with the events. */
  readonly releases: readonly [UpstreamRelease, ...UpstreamRelease[]];
}

/** Every project of the box is under this licence. */
export const licence = `Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE.
`;
