/** The bundled archives as paths: in the executable's own file system, or in the `bundle` folder of the source tree. */
import manifest from "./bundle/manifest.json" with { type: "json" };
import programs from "./bundle/postgres.tar.zst" with { type: "file" };
import template from "./bundle/template.tar.zst" with { type: "file" };
import type { Manifest } from "./manifest";

export const bundled: { readonly manifest: Manifest; readonly programs: string; readonly template: string } =
  {
    manifest,
    programs,
    template,
  };
