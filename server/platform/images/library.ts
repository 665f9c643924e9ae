/** The packed libvips: in the executable's own file system, or in the `bundle` folder of the source tree. */
import manifest from "./bundle/manifest.json" with { type: "json" };
import packed from "./bundle/libvips.so.zst" with { type: "file" };

/** `name`: of the unpacked file, with a content hash; `size` in bytes. */
export type LibraryManifest = { readonly name: string; readonly size: number };

export const library: LibraryManifest & { readonly packed: string } = { ...manifest, packed };
