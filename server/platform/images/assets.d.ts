/** The library is imported as a file: the build embeds it, and the value is its path. */
declare module "*.so.zst" {
  const path: string;
  // The runtime gives a file import as the default export.
  export default path;
}
