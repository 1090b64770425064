import { z } from 'zod';
import { engines, runners } from '../model/build.ts';
import { imageEngines } from '../model/image-support.ts';
import { policySchema } from '../model/policy.ts';
import { arches, targetNameSchema } from '../model/target.ts';
import { differencePolicySchema } from '../model/verdict.ts';

/**
 * Every option. Each has a description that says what it is, in which unit, and what happens without it; config/schema.json
 * and the table in docs/configuration.md are made from here. Secrets are no options: see secrets.ts.
 */
const minutes = z.number().positive().max(44_640);
const url = z.url({ protocol: /^https?$/ });
const path = z.string().min(1);
const count = z.number().int().positive();
const tokenFile = path.optional();

const forge = z
  .strictObject({
    kind: z
      .enum(['git', 'github'])
      .default('git')
      .describe('Where proposals are made: `git` is a bare repository, without pull requests; `github` is GitHub'),
    repository: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The repository of the recipes: `OWNER/NAME` on GitHub, the path of a bare repository otherwise. Default: `recipes.git` in the state directory',
      ),
    baseUrl: url
      .optional()
      .describe('The API of a GitHub Enterprise server, `https://HOST/api/v3`. Default: github.com'),
    webUrl: url
      .optional()
      .describe(
        'Where people reach the repository, for links, SBOMs and provenance: the address of the GitHub server, or, with `git`, of the repository itself. Default: worked out from the API; with `git` none',
      ),
    mainBranch: z.string().min(1).default('main').describe('The branch that is published'),
    mergeGreen: z
      .boolean()
      .optional()
      .describe(
        'Whether a proposal that is built and verified for every target merges by itself. Default: yes with `git`, no with `github`',
      ),
    rest: z
      .number()
      .nonnegative()
      .default(10)
      .describe(
        'Seconds for which what the forge said is used again while builds end, so that a burst of them does not use its limits up',
      ),
    tokenFile: tokenFile.describe('File that holds the token for GitHub: contents and pull requests, read and write'),
  })
  .superRefine((value, context) => {
    if (value.kind === 'github' && !/^[\w.-]+\/[\w.-]+$/.test(value.repository ?? '')) {
      context.addIssue({ code: 'custom', path: ['repository'], message: 'must be OWNER/NAME with `kind: github`' });
    }
  });

const sigstore = z
  .strictObject({
    fulcioUrl: url
      .default('https://fulcio.sigstore.dev')
      .describe('The authority that certifies who signs. Default: the public one of Sigstore'),
    rekorUrl: url
      .default('https://rekor.sigstore.dev')
      .describe('The transparency log that witnesses signatures: what goes in is public for ever, where the log is'),
    rekorVersion: z
      .number()
      .int()
      .min(1)
      .max(2)
      .default(1)
      .describe('Version of its interface; one of version 2 needs `timestampUrl`'),
    timestampUrl: url
      .optional()
      .describe(
        'A timestamp authority (RFC 3161), `https://timestamp.sigstore.dev`. Default: none, the log gives the time',
      ),
    tokenFile: tokenFile.describe(
      'File that holds the identity token, for the audience `sigstore`; it is read for each certificate, and whoever writes it renews it. Without: what the environment gives',
    ),
  })
  .superRefine((value, context) => {
    if (value.rekorVersion === 2 && value.timestampUrl === undefined) {
      context.addIssue({ code: 'custom', path: ['timestampUrl'], message: 'must be given with `rekorVersion: 2`' });
    }
  });

const feed = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/)
    .describe('What it is called here: lower-case letters, digits and dashes'),
  kind: z.enum(['osv']).default('osv').describe('The form of its records'),
  url: z
    .string()
    .min(1)
    .describe(
      'Base of a bucket (`BASE/ECOSYSTEM/modified_id.csv`), or one `.jsonl` or `.jsonl.gz` file of records, by http(s) or as a path',
    ),
  ecosystems: z.array(z.string().min(1)).default([]).describe('Folders of the bucket that are read: `Go`, `GIT`'),
  interval: minutes.default(60).describe('Minutes between two looks'),
});

const engineChoice = z.enum([...engines, 'auto']);
const imageEngineChoice = z.enum([...imageEngines, 'auto']);

const melange = z
  .strictObject({
    version: z
      .string()
      .regex(/^[\w.+-]+$/)
      .default('v0.59.1')
      .describe(
        'The melange that builders have, as `melange version` says it. A builder with another one does not build; what is built with another one is another build',
      ),
    runner: z
      .enum(runners)
      .default('bubblewrap')
      .describe('What melange runs steps in: `bubblewrap`, `docker`, or `qemu`, a virtual machine'),
    network: z
      .boolean()
      .default(false)
      .describe(
        'Whether steps have the network. Sources that recipes pin are there without; with `docker` and `qemu` steps always have it, so that this has to be `true`',
      ),
    timeout: z
      .number()
      .positive()
      .default(10_800)
      .describe('Seconds that a build, and then its tests, may take where the recipe has no `timeout`'),
    arches: z
      .array(z.enum(arches))
      .default([])
      .describe(
        'Architectures beside its own that this machine runs programs of, by emulation, and so builds for with melange',
      ),
    environment: z
      .record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string())
      .default({})
      .describe('Environment of melange itself: `DOCKER_HOST`, `QEMU_KERNEL_IMAGE`. Steps see nothing of it'),
  })
  .prefault({})
  .superRefine(({ runner, network }, context) => {
    if (runner === 'bubblewrap' || network) return;
    context.addIssue({
      code: 'custom',
      path: ['network'],
      message: `has to be true with \`runner: ${runner}\`: melange gives steps the network there`,
    });
  });

export const configSchema = z.strictObject({
  stateDirectory: path
    .default('.regrow')
    .describe('Folder for everything that regrow keeps. Paths are relative to the working directory'),
  logLevel: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('The least important lines that are logged'),
  objects: z
    .strictObject({
      directory: path
        .optional()
        .describe(
          'Folder of the object store: what is built and published. All roles need it; on several machines it is the one folder they share. Default: `objects` in the state directory',
        ),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: z
        .url({ protocol: /^(rediss?|unix)$/ })
        .refine((value) => !URL.canParse(value) || new URL(value).password === '', {
          error: 'a password does not belong into this file: put the whole URL into REGROW_REDIS_URL',
        })
        .optional()
        .describe(
          'Redis or Valkey: `redis://`, `rediss://`, or `unix:///path`; one with a password belongs into REGROW_REDIS_URL. Without: a private redis-server',
        ),
      prefix: z
        .string()
        .regex(/^[\w-]+$/)
        .default('regrow')
        .describe('In front of every key, so that several distributions can share a Redis'),
    })
    .prefault({}),
  forge: forge.prefault({}),
  recipes: z
    .strictObject({
      path: path.default('.').describe('Folder of the repository that holds the recipes and `pipelines/`'),
    })
    .prefault({}),
  images: z
    .strictObject({
      path: path.default('images').describe('Folder of the repository that holds the image definitions'),
      engine: imageEngineChoice
        .default('regrow')
        .describe(
          'What puts images together: `regrow` itself; `apko`, which has to be on the builders; `auto`, apko for what regrow cannot do (service bundles, certificates)',
        ),
      engines: z
        .record(z.string(), imageEngineChoice)
        .default({})
        .describe('By image: what puts it together, where that is not `engine`'),
      push: z
        .array(
          z.strictObject({
            registry: url
              .refine((value) => /^https?:\/\/[^/@]+\/?$/.test(value), {
                error: 'must be https://HOST or https://HOST:PORT',
              })
              .describe('Address of a registry, `https://HOST[:PORT]`'),
            repository: z
              .string()
              .regex(/^[a-z0-9{][a-z0-9._/{}-]*$/)
              .default('{name}')
              .describe('Repository there; `{name}` is the name of the image'),
          }),
        )
        .default([])
        .describe('Registries that published images are brought to, under the tag that they have here'),
      authFile: tokenFile.describe(
        'File that holds the logins of registries, an `auth.json` as `skopeo login --authfile` writes it. The publisher alone reads it',
      ),
    })
    .prefault({}),
  targets: z
    .array(targetNameSchema)
    .min(1)
    .default(['x86_64-gnu'])
    .describe('What is built for: architecture and C library, `x86_64-gnu`, `aarch64-musl`'),
  watch: z
    .strictObject({
      interval: minutes
        .default(30)
        .describe('Minutes between two looks at the same upstream, at most: an upstream that seldom releases'),
      shortestInterval: minutes
        .default(5)
        .describe(
          'Minutes between two looks at the same upstream, at least: one that often releases. Never more than `interval`',
        ),
      githubBaseUrl: url.optional().describe('The API that upstreams on GitHub are asked at. Default: github.com'),
      concurrency: count.max(64).default(4).describe('How many batches of upstreams a poller asks at the same time'),
      quotaShare: z
        .number()
        .gt(0)
        .max(1)
        .default(0.5)
        .describe(
          'Part of what GitHub allows each token that is spent on upstreams which nobody waits for, 0 to 1; the rest is for those that somebody does',
        ),
      tokenFile: tokenFile.describe(
        'File that holds tokens that may only read, for asking upstreams on GitHub: one, or several with spaces, commas or line ends between them. Without one GitHub answers 60 questions an hour',
      ),
    })
    .prefault({}),
  advisories: z.array(feed).default([]).describe('Feeds of known vulnerabilities'),
  policy: policySchema.prefault({}),
  sources: z
    .strictObject({
      rewrite: z
        .array(
          z.strictObject({
            from: z.string().min(1).describe('Start of a URL as recipes have it'),
            to: z.string().describe('What stands in its place'),
          }),
        )
        .default([])
        .describe('Mirrors, for downloads, for git, and for asking where releases are seen'),
      limitBytes: count.default(2 * 1024 ** 3).describe('Most bytes of one download'),
    })
    .prefault({}),
  network: z
    .strictObject({
      allowPrivate: z
        .array(z.string().min(1))
        .default([])
        .describe(
          'What recipes may lead to although it is in a private network: `HOST`, `HOST:PORT`, an address, or a network as `10.1.0.0/16`. Servers that this file names need not be here',
        ),
      redirectHosts: z
        .array(z.string().min(1))
        .default([])
        .describe(
          'Hosts that a place where releases are seen may redirect to from another host. Downloads may go to any',
        ),
      requestsPerSecond: z
        .record(z.string().min(1), z.number().positive())
        .default({ '*': 5, 'hex.pm': 1.5, 'release-monitoring.org': 1 })
        .describe(
          'By host: how often places where releases are seen are asked, two requests at a time at most; `*` is every other host, and a list of your own stands for all of this one. GitHub has its own limits, and feeds are not held back',
        ),
    })
    .prefault({}),
  build: z
    .strictObject({
      engine: engineChoice
        .default('host')
        .describe(
          'What runs recipes: `host` uses the tools of this machine; `melange` builds from the packages of this distribution alone; `auto` takes melange for what `host` refuses',
        ),
      engines: z
        .record(z.string(), engineChoice)
        .default({})
        .describe('By recipe: what runs it, where that is not `engine`'),
      concurrency: count.max(256).default(2).describe('Builds at the same time, for each target'),
      stepTimeout: z.number().positive().default(3600).describe('Seconds that one step of a recipe may take'),
      outputLimit: count.default(64 * 1024 ** 2).describe('Most bytes that a build may print before it is ended'),
      processLimit: count
        .default(2048)
        .describe('Most processes of one step at a time: more than any real build has, fewer than a machine can bear'),
      hostTools: z
        .record(z.string(), z.array(z.string().min(1)))
        .default({})
        .describe('By package that recipes ask for: the commands of this machine that stand in for it'),
      melange,
    })
    .prefault({}),
  verify: z
    .strictObject({
      rebuild: z
        .enum(['never', 'sample', 'always'])
        .default('never')
        .describe(
          'Whether what was built is built a second time from the same inputs, by another builder where there is one, and compared byte for byte before it is published: `sample` does it with some builds, `sample` below says how many',
        ),
      sample: z
        .number()
        .gt(0)
        .max(1)
        .default(0.1)
        .describe('Part of the builds that are built a second time with `rebuild: sample`, 0 to 1'),
      difference: differencePolicySchema
        .default('fail')
        .describe(
          'What a build comes to whose second one gives other bytes: `fail` holds it, `report` publishes it and says in what they differ',
        ),
    })
    .prefault({}),
  publish: z
    .strictObject({
      keepGenerations: count.default(20).describe('Older generations of the repository that one can go back to'),
      keepVersions: z
        .number()
        .int()
        .nonnegative()
        .default(0)
        .describe('Versions of a package that stay published, the newest first; 0 keeps all'),
      collect: z
        .strictObject({
          intervalHours: z
            .number()
            .nonnegative()
            .default(24)
            .describe(
              'Hours between two looks for what nothing in the object store uses any more; 0: only when `regrow gc` asks',
            ),
          unusedDays: z
            .number()
            .min(1)
            .default(7)
            .describe('Days that something stays once nothing uses it; what the next two lines name has its own'),
          logDays: z
            .number()
            .min(1)
            .default(30)
            .describe(
              'Days that the log of a build stays, but for the newest one of each package and target, which stays',
            ),
          imageDays: z
            .number()
            .min(1)
            .default(30)
            .describe('Days for which an image that lost its tag to a newer one can still be pulled by its digest'),
        })
        .prefault({}),
      keyName: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]*$/)
        .default('regrow')
        .describe('Name of the signing key: `NAME.rsa.pub` in /etc/apk/keys of those who install'),
      keyDirectory: path
        .optional()
        .describe(
          'Folder of the signing keys, for the publisher alone to read. Default: `keys` in the state directory',
        ),
      keyPassphraseFile: path
        .optional()
        .describe(
          'File that holds the passphrase that the signing keys are sealed with. Without one they lie open, readable by their owner only',
        ),
      sigstore: sigstore
        .optional()
        .describe(
          'Keyless signatures by an identity, beside those of the keys, on images and on where packages came from; `{}` takes the public services of Sigstore. Default: none',
        ),
    })
    .prefault({}),
  api: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('Address that is listened at'),
      port: z.number().int().min(0).max(65_535).default(7420).describe('Port; 0 takes any that is free'),
      publicUrl: url.optional().describe('Where people reach it, for links in proposals'),
      title: z.string().min(1).default('regrow').describe('Name of the distribution, on its page'),
      bullBoard: z.boolean().default(false).describe('Whether the raw queues are shown under /queues'),
      tokenFile: tokenFile.describe(
        'File that holds the token that asking for work takes. Without: only from this machine',
      ),
      webhookSecretFile: tokenFile.describe(
        'File that holds the secret that GitHub signs webhooks with. Without: no webhooks are taken',
      ),
    })
    .prefault({}),
  reconcile: z
    .strictObject({
      interval: minutes.default(5).describe('Minutes between two comparisons of what should be with what is'),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      grace: z.number().nonnegative().default(60).describe('Seconds that running jobs have to end when regrow stops'),
    })
    .prefault({}),
});

/** What a file may say. */
export type ConfigInput = z.input<typeof configSchema>;
type Parsed = z.output<typeof configSchema>;

/** The configuration as the roles read it: complete, paths absolute. */
export type Config = Omit<Parsed, 'forge'> & {
  readonly forge: Omit<Parsed['forge'], 'repository' | 'mergeGreen'> & {
    readonly repository: string;
    readonly mergeGreen: boolean;
  };
};
