import { beacon } from './beacon.ts';
import { count } from './count.ts';
import { greet } from './greet.ts';
import { libtally } from './libtally.ts';
import { notes } from './notes.ts';
import type { UpstreamProject } from './upstream.ts';
import { words } from './words.ts';

/** Every upstream of the distribution in a box. */
export const projects: readonly UpstreamProject[] = [libtally, count, greet, beacon, words, notes];
