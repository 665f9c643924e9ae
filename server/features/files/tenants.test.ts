/** Files of tenants: whose they are, and who sees, fetches and changes them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  type Caller,
  callers,
  openTwoTenants,
  type Owner,
  owners,
  type TwoTenants,
} from "../../testing/two-tenants";

setDefaultTimeout(60_000);

type Json = Record<string, unknown>;

let scene: TwoTenants;
beforeAll(async () => {
  scene = await openTwoTenants();
});
afterAll(() => scene.close());

const upload = (caller: Caller, more: Record<string, string> = {}) => {
  const form = new FormData();
  form.append("file", new File([`a text ${crypto.randomUUID()}`], "note.txt", { type: "text/plain" }));
  for (const [name, value] of Object.entries(more)) form.append(name, value);
  return scene.as(caller, "POST /files", form);
};
const uploaded = async (caller: Caller, more: Record<string, string> = {}): Promise<string> => {
  const answer = await upload(caller, more);
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`);
  return String((answer.body as { data: { id: string } }).data.id);
};
const rowOf = async (id: string): Promise<Json> => {
  const [row] = (await scene.everything("baasix_File")).filter((one) => one.id === id);
  return row ?? {};
};

const reach: Readonly<Record<Caller, readonly Owner[]>> = {
  ann: ["A"],
  bob: ["B"],
  cleo: ["A"],
  mix: ["A"],
  stan: ["A", "B", "none"],
  nobody: [],
  root: ["A", "B", "none"],
};
const author: Readonly<Record<Owner, Caller>> = { A: "ann", B: "bob", none: "root" };

test.each([...callers])("an upload is of the tenant that its author acts in: %s", async (caller) => {
  const answer = await upload(caller);
  if (caller === "nobody") return expect(answer.status).toBe(403);
  const { id } = (answer.body as { data: { id: string } }).data;
  const own = caller === "bob" ? scene.B : caller === "stan" || caller === "root" ? null : scene.A;
  expect((await rowOf(id)).tenant_Id).toBe(own);
});

describe.each([
  ["private", {}],
  ["public", { isPublic: "true" }],
] as const)("%s files", (kind, more) => {
  test.each([...callers])("%s", async (caller) => {
    for (const owner of owners) {
      const id = await uploaded(author[owner], more);
      const sees = kind === "public" || reach[caller].includes(owner);
      const may = reach[caller].includes(owner);
      const status = async (request: string, body?: unknown): Promise<[string, boolean]> => {
        const answer = await scene.as(caller, request, body);
        if (answer.status >= 300) expect([403, 404]).toContain(answer.status);
        return [`${owner} ${request}`, answer.status < 300];
      };
      for (const path of [`/files/${id}`, `/assets/${id}`, `/items/baasix_File/${id}`])
        expect(await status(`GET ${path}`)).toEqual([`${owner} GET ${path}`, sees]);
      const listed = await scene.as(caller, `GET /files?filter={"id":"${id}"}`);
      const found = listed.status === 403 ? [] : (listed.body as { data: Json[] }).data;
      expect([owner, found.length]).toEqual([owner, sees ? 1 : 0]);
      expect(await status(`PATCH /files/${id}`, { title: "mine" })).toEqual([
        `${owner} PATCH /files/${id}`,
        may,
      ]);
      expect((await rowOf(id)).title).toBe(may ? "mine" : (await rowOf(id)).title);
      expect(await status(`DELETE /files/${id}`)).toEqual([`${owner} DELETE /files/${id}`, may]);
      expect(Object.keys(await rowOf(id)).length > 0).toBe(!may);
    }
  });
});

test("a picture is of the tenant of what shows it", async () => {
  const [mine, theirs] = [await uploaded("ann"), await uploaded("bob", { isPublic: "true" })];
  for (const [picture_Id, status] of [
    [mine, 201],
    [theirs, 403],
  ] as const) {
    const answer = await scene.as("ann", "POST /items/notes", { text: "x", picture_Id });
    expect([answer.status, answer.text]).toEqual([status, answer.text]);
  }
});
