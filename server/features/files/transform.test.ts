import { describe, expect, test } from "bun:test";
import { assetQuery } from "./model";
import { planTransform } from "./transform";

const jpeg = { type: "image/jpeg" };
const plan = (query: object, accept: string | null = null, file = jpeg) =>
  planTransform(file, assetQuery.parse(query), accept);
const nameOf = (query: object, accept?: string) => {
  const planned = plan(query, accept);
  return planned.kind === "original" ? "original" : planned.name;
};

describe("planTransform", () => {
  const names: readonly [string, object, string][] = [
    ["nothing asked", {}, "original"],
    ["a fit has nothing to fit", { fit: "contain" }, "original"],
    ["nor has withoutEnlargement", { withoutEnlargement: "true" }, "original"],
    ["a download is the original", { download: "true" }, "original"],
    ["other parameters are not ours", { v: "123", access_token: "x" }, "original"],
    ["JPEG, quality 80 by default", { width: "200" }, "v1-w200-q80.jpeg"],
    ["one side: fit changes nothing", { width: "200", fit: "outside" }, "v1-w200-q80.jpeg"],
    ["two sides", { width: "200", height: "100" }, "v1-w200-h100-cover-q80.jpeg"],
    ["fit", { width: "200", height: "100", fit: "inside" }, "v1-w200-h100-inside-q80.jpeg"],
    ["quality alone", { quality: "1" }, "v1-q1.jpeg"],
    ["format alone", { format: "webp" }, "v1-q80.webp"],
    ["quality changes no PNG", { format: "png", quality: "50", height: "9" }, "v1-h9.png"],
    ["not enlarged", { width: "9", format: "avif", withoutEnlargement: "true" }, "v1-w9-kept-q80.avif"],
    [
      "withoutEnlargement=false is the default",
      { width: "9", withoutEnlargement: "false" },
      "v1-w9-q80.jpeg",
    ],
    ["the largest", { width: "4096", height: "4096", quality: "100" }, "v1-w4096-h4096-cover-q100.jpeg"],
  ];
  test.each(names)("%s", (_name, query, name) => {
    expect(nameOf(query)).toBe(name);
  });

  test.each([
    [null, "jpeg"],
    ["*/*", "jpeg"],
    ["image/*", "jpeg"],
    ["image/avif,image/webp,image/apng,*/*;q=0.8", "webp"],
    ["image/avif, */*", "avif"],
    ["image/webp;q=0, image/avif;q=0.5", "avif"],
    ["image/webp;q=0.000", "jpeg"],
    ["IMAGE/WEBP;q=0.1", "webp"],
    ["image/webpx", "jpeg"],
  ])("format=auto with Accept %p is %s", (accept, format) => {
    expect(plan({ width: "9", format: "auto" }, accept)).toMatchObject({
      type: `image/${format}`,
      image: { format },
    });
  });

  const refused: readonly object[] = [
    { width: "0" },
    { width: "-1" },
    { width: "4097" },
    { width: "1.5" },
    { width: "wide" },
    { width: "" },
    { width: "9", height: "1e9" },
    { width: ["1", "2"] },
    { quality: "0" },
    { quality: "101" },
    { fit: "stretch" },
    { format: "gif" },
    { format: "svg" },
    { withoutEnlargement: "yes" },
    { download: "1" },
  ];
  test.each(refused.map((query) => [JSON.stringify(query), query] as const))("refuses %s", (_name, query) => {
    expect(assetQuery.safeParse(query).success).toBe(false);
  });

  test.each(["image/svg+xml", "application/pdf", "text/plain", "video/mp4", undefined])(
    "%s cannot be transformed, only sent as it is",
    (type) => {
      const file = type === undefined ? {} : { type };
      expect(() => planTransform(file, { width: 10 }, null)).toThrow("cannot be transformed");
      expect(planTransform(file, {}, null)).toEqual({ kind: "original" });
    },
  );
});
