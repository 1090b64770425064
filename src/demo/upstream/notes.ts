import { licence, type UpstreamProject } from './upstream.ts';

const script = `#!/usr/bin/greet -f
# What this box has to say.
say Notes 1.0.0
greet reader
say That was all.
`;

/** A script: it runs wherever greet is installed. */
export const notes: UpstreamProject = {
  name: 'notes',
  description: 'Notes to the reader, as a script for greet',
  releases: [
    {
      version: '1.0.0',
      tag: 'v1.0.0',
      at: '2026-04-06T08:00:00Z',
      message: 'Release 1.0.0',
      files: { LICENSE: licence, notes: script },
    },
  ],
};
