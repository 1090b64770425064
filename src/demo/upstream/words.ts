import { licence, type UpstreamProject } from './upstream.ts';

const english = `the quick brown fox jumps over the lazy dog
and the dog sleeps on while the fox runs over the hill
an octopus that lost an arm grows the arm again
`;
const german = `der flinke Fuchs springt über den faulen Hund
und der Hund schläft weiter
`;

/** Data alone, published as a file of a release, with a version that is a month. */
export const words: UpstreamProject = {
  name: 'words',
  description: 'Texts to count',
  releases: [
    {
      version: '2026.03',
      tag: '2026.03',
      at: '2026-03-30T08:00:00Z',
      message: 'Texts of March',
      files: { LICENSE: licence, 'english.txt': english, 'german.txt': german },
      notes: 'Texts of March.',
      asset: 'words-2026_03.tar.gz',
    },
  ],
};
