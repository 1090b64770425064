import { baselayout, hostLibc } from './base.ts';
import { notesRecipe, wordsRecipe } from './data.ts';
import { libtallyRecipe } from './libtally.ts';
import { beaconRecipe, countRecipe, greetRecipe } from './programs.ts';
import type { BoxRecipe } from './recipe.ts';

/** The eight recipes of the distribution in a box. */
export const recipes: readonly BoxRecipe[] = [
  baselayout,
  hostLibc,
  libtallyRecipe,
  countRecipe,
  greetRecipe,
  beaconRecipe,
  wordsRecipe,
  notesRecipe,
];
