/** What a recipe pins of one upstream release. */
export interface Pin {
  readonly version: string;
  readonly commit: string;
  /** sha256 of the tar.gz of the tag, hex. */
  readonly sha256: string;
}

/** A recipe of the box as a function of what it pins. */
export interface BoxRecipe {
  readonly name: string;
  /** The upstream project, for recipes that have one. */
  readonly project?: string;
  text(pin: Pin): string;
}
