import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { Exec } from '../ports/exec.ts';

const searchPath = '/usr/local/bin:/usr/bin:/bin';
/** Modes of sources get into packages: they are the same on every machine. */
const umask = 0o022;
/** Milliseconds that one archive may take. */
const timeout = 10 * 60_000;

/**
 * Unpacks an archive of sources by what it is, not by its name: zip through unzip, everything else through tar, which knows
 * the compressions itself. Owners and setuid bits are not taken over; both tools refuse names that lead out of `into`, but
 * follow symlinks that stand in it already: `into` has to be a fresh, empty directory. Returns the directories whose
 * content is the archive's without its `strip` leading components.
 */
export async function extractArchive(
  exec: Exec,
  archive: string,
  into: string,
  strip: number,
): Promise<readonly string[]> {
  if (await isZip(archive)) return extractZip(exec, archive, into, strip);
  const result = await exec.run({
    argv: [
      'tar',
      '--extract',
      `--file=${archive}`,
      `--directory=${into}`,
      `--strip-components=${strip}`,
      '--no-same-owner',
      '--no-same-permissions',
      '--no-overwrite-dir',
      '--force-local',
    ],
    env: { PATH: searchPath, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    umask,
    timeout,
  });
  if (result.exitCode !== 0) throw notUnpacked(archive, result.stderr);
  return [into];
}

async function isZip(archive: string): Promise<boolean> {
  const file = await open(archive, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32BE(0) === 0x504b0304;
  } finally {
    await file.close();
  }
}

/** unzip cannot leave out leading components: the directories that lie deep enough are what is asked for. */
async function extractZip(exec: Exec, archive: string, into: string, strip: number): Promise<readonly string[]> {
  const result = await exec.run({
    argv: ['unzip', '-q', '-o', archive, '-d', into],
    // A zip has local times; they are taken for UTC, whatever this machine's zone is.
    env: { PATH: searchPath, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    umask,
    timeout,
  });
  if (result.exitCode !== 0) throw notUnpacked(archive, result.stderr);
  let level = [into];
  for (let depth = 0; depth < strip; depth += 1) level = (await Promise.all(level.map(childDirectories))).flat();
  return level;
}

async function childDirectories(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}

function notUnpacked(archive: string, said: string): RegrowError {
  return new RegrowError(
    'upstream.answer-invalid',
    `${basename(archive)} is no archive that can be unpacked: ${said.trim()}`,
    {
      file: archive,
      remedy: 'check the URI of the fetch step, or set `extract: false` where the file is no archive',
    },
  );
}
