/** Transformed images: kept in the storage beside their original, made once however many ask at the same time. */
import { AppError } from "../../core/errors";
import { addressKey, createWindowCounter } from "../../http";
import type { Images } from "../../platform/images";
import type { Storage, StoredFile } from "../../platform/storage";
import { fileFolder, originalKey, variantKey } from "./keys";
import type { TransformPlan } from "./transform";

/** The part of a plan that makes an image. */
export type VariantPlan = Extract<TransformPlan, { readonly kind: "variant" }>;

/** Gives variants. Rights are the caller's matter, on every request. */
export type Variants = {
  /**
   * The variant, made now when it is not kept; `client` is the network address that asks.
   * @throws AppError as `Images.transform`; NOT_FOUND without an original, RATE_LIMITED when the client has had too
   * many made lately (kept ones are not counted).
   */
  readonly get: (id: string, plan: VariantPlan, client: string) => Promise<StoredFile>;
};

/** `perSecond`: how many images one client may have made, counted over 20 s so that a page of pictures passes. */
export type VariantsParts = {
  readonly storage: Storage;
  readonly images: Images;
  readonly perSecond: number;
};

const windowSeconds = 20;

/** How many variants of one file are kept, so that nobody can fill the disk by asking for every size. */
const keptPerFile = 64;

export function createVariants({ storage, images, perSecond }: VariantsParts): Variants {
  const flights = new Map<string, Promise<StoredFile>>();
  const made = createWindowCounter(windowSeconds * 1000);

  const countOne = (client: string): void => {
    const now = Date.now();
    const { count, endsAt } = made.count(addressKey(client), now);
    if (count <= perSecond * windowSeconds) return;
    const retryAfter = Math.max(1, Math.ceil((endsAt - now) / 1000));
    throw new AppError("RATE_LIMITED", `Too many new images at once; try again in ${retryAfter} s`, {
      retryAfter,
    });
  };

  const make = async (id: string, { name, image }: VariantPlan): Promise<StoredFile> => {
    const original = await storage.get(originalKey(id));
    if (!original) throw gone(id);
    const bytes = await images.transform(original, image);
    await makeRoom(storage, id);
    await storage.put(variantKey(id, name), bytes, { maxBytes: bytes.byteLength });
    const stored = await storage.get(variantKey(id, name));
    if (stored && (await storage.has(originalKey(id)))) return stored;
    // The file was deleted meanwhile; what was just kept would stay for ever.
    await storage.removePrefix(fileFolder(id));
    throw gone(id);
  };

  const get: Variants["get"] = async (id, plan, client) => {
    const key = variantKey(id, plan.name);
    const kept = await storage.get(key);
    if (kept) return kept;
    const underway = flights.get(key);
    if (underway) return underway;
    countOne(client);
    const flight = make(id, plan).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };

  return { get };
}

/** Removes the oldest variants until there is room for one more. */
async function makeRoom(storage: Storage, id: string): Promise<void> {
  const variants = (await storage.list(fileFolder(id))).filter(({ key }) => key !== originalKey(id));
  const surplus = variants.length - keptPerFile + 1;
  if (surplus <= 0) return;
  const oldest = variants.toSorted((one, other) => one.modified - other.modified).slice(0, surplus);
  for (const { key } of oldest) await storage.remove(key);
}

function gone(id: string): AppError {
  return new AppError("NOT_FOUND", `The bytes of file '${id}' are not in the storage`);
}
