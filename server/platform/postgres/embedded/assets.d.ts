/** The archives are imported as files: the build embeds them, and the value is their path. */
declare module "*.tar.zst" {
  const path: string;
  // The runtime gives a file import as the default export.
  export default path;
}
