import { Command } from 'commander';
import { systemClock } from '../adapters/clock.ts';
import type { KeyRing, KeyState, RingKey } from '../adapters/keys/ring.ts';
import { loadConfig } from '../config/load.ts';
import { type Mood, renderTable } from '../report/table.ts';
import { imageKeyRingOf, keyRingOf } from '../roles/keys.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';

interface KeyFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly images?: boolean;
}

type Context = Pick<CliContext, 'output'>;
type AnyRing = KeyRing<unknown>;

interface Rings {
  readonly packages: AnyRing;
  readonly images: AnyRing;
  /** The one that `--images` says. */
  readonly meant: AnyRing;
}

/** What a change of the ring takes to be seen. */
const afterwards = 'The publisher takes it up when it starts next: restart it.';
const moods: Readonly<Record<KeyState, Mood>> = { next: 'hold', signs: 'good', trusted: 'hold', retired: 'bad' };

/** Opens the configured rings, with the publisher's secrets alone, and does the work with them. */
async function withRings(output: Output, command: Command, work: (rings: Rings, json: boolean) => Promise<void>) {
  const { config: file, json = false, images: isImages = false } = command.optsWithGlobals<KeyFlags>();
  await runCommand(output, json, async () => {
    const { config, secrets } = loadConfig({ file, roles: ['publisher'] });
    const packages: AnyRing = keyRingOf(config, secrets, systemClock);
    const images: AnyRing = imageKeyRingOf(config, secrets, systemClock);
    await work({ packages, images, meant: isImages ? images : packages }, json);
  });
}

/** The ring that has a key of this name; that of packages where none has, or both have. */
async function ringWith({ packages, images, meant }: Rings, name: string): Promise<AnyRing> {
  if (meant === images) return images;
  const has = async (ring: AnyRing) => (await ring.list()).some((key) => key.name === name);
  return !(await has(packages)) && (await has(images)) ? images : packages;
}

function subcommand(name: string, description: string): Command {
  return new Command(name).description(description).option('--json', 'print JSON');
}

function ofImages(command: Command): Command {
  return command.option('--images', 'of the keys of images, instead of those of packages');
}

const uses = { packages: 'packages', images: 'images' } as const;

function rowOf([use, key]: readonly [string, RingKey]) {
  return [
    { text: key.name },
    { text: use },
    { text: key.state, mood: moods[key.state] },
    { text: key.since?.slice(0, 10) ?? '-' },
    { text: String(key.bits) },
    { text: key.sealed ? 'yes' : 'no' },
    { text: key.fingerprint.slice(0, 16) },
  ];
}

function listCommand({ output }: Context): Command {
  return subcommand('list', 'the keys, what each is for, and whether it lies sealed on the disk').action(
    (_flags: KeyFlags, command: Command) =>
      withRings(output, command, async ({ packages, images }, json) => {
        const keys = [
          ...(await packages.list()).map((key) => [uses.packages, key] as const),
          ...(await images.list()).map((key) => [uses.images, key] as const),
        ];
        if (json) output.json({ keys: keys.map(([use, key]) => ({ ...key, use })) });
        else if (keys.length === 0) output.write('There is no key yet: the publisher makes the first one.\n');
        else {
          const heads = ['KEY', 'FOR', 'STATE', 'SINCE', 'BITS', 'SEALED', 'FINGERPRINT'];
          output.write(renderTable(heads, keys.map(rowOf), output.style));
        }
      }),
  );
}

function newCommand({ output }: Context): Command {
  return ofImages(
    subcommand('new', 'makes a key: the first one, or one that is trusted from now on and signs after `rotate`'),
  ).action((_flags: KeyFlags, command: Command) =>
    withRings(output, command, async ({ meant }, json) => {
      const name = await meant.add();
      if (json) output.json({ made: name });
      else output.write(`${meant.publicFile(name)} is made. ${afterwards}\n`);
    }),
  );
}

function rotateCommand({ output }: Context): Command {
  return ofImages(
    subcommand('rotate', 'the new key signs from now on; the old one stays trusted and signs indexes, or images, too'),
  ).action((_flags: KeyFlags, command: Command) =>
    withRings(output, command, async ({ meant }, json) => {
      const { signs, before } = await meant.rotate();
      const [young, old] = [signs, before].map((name) => meant.publicFile(name));
      if (json) output.json({ signs, before });
      else output.write(`${young} signs from now on, ${old} stays trusted. ${afterwards}\n`);
    }),
  );
}

function retireCommand({ output }: Context): Command {
  return ofImages(subcommand('retire', 'takes an old key out of trust: it is neither served nor in images any more'))
    .argument('<key>', 'its name, as `list` has it')
    .action((name: string, _flags: KeyFlags, command: Command) =>
      withRings(output, command, async (rings, json) => {
        const ring = await ringWith(rings, name);
        await ring.retire(name);
        if (json) output.json({ retired: name });
        else output.write(`${ring.publicFile(name)} is trusted no more. ${afterwards}\n`);
      }),
    );
}

function sealCommand({ output }: Context): Command {
  return subcommand('seal', 'seals the keys that lie open on the disk with REGROW_KEY_PASSPHRASE').action(
    (_flags: KeyFlags, command: Command) =>
      withRings(output, command, async ({ packages, images }, json) => {
        const sealed = [...(await packages.seal()), ...(await images.seal())];
        if (json) output.json({ sealed });
        else output.write(sealed.length === 0 ? 'All keys are sealed.\n' : `Sealed: ${sealed.join(', ')}.\n`);
      }),
  );
}

function exportCommand({ output }: Context): Command {
  const description =
    'prints a private key in PEM, PKCS#1 for melange or abuild, PKCS#8 of images for cosign: keep it where nobody else reads';
  return ofImages(new Command('export').description(description))
    .argument('<key>', 'its name, as `list` has it')
    .action((name: string, _flags: KeyFlags, command: Command) =>
      withRings(output, command, async (rings) => output.write(await (await ringWith(rings, name)).export(name))),
    );
}

/** `regrow keys list | new | rotate | retire | seal | export`, on the publisher's machine. */
export function keysCommand(context: Context): Command {
  return new Command('keys')
    .description('the keys that packages, indexes and images are signed with: make, rotate, retire and seal them')
    .addCommand(listCommand(context))
    .addCommand(newCommand(context))
    .addCommand(rotateCommand(context))
    .addCommand(retireCommand(context))
    .addCommand(sealCommand(context))
    .addCommand(exportCommand(context));
}
