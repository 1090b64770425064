/** NO_COLOR as the environment has it (no-color.org); undefined where it is not set. */
export function colourSetting(): string | undefined {
  // oxlint-disable-next-line node/no-process-env
  return process.env['NO_COLOR'];
}
