/** The hooks and guards about who is signed in, rendered by React, against the real server. */
import { expect, setDefaultTimeout, test } from "bun:test";
import {
  type Baasix,
  MemoryStorageAdapter,
  type MeResult,
  type SessionUser,
  type StorageAdapter,
} from "@baasix/sdk";
import { type UseQueryResult } from "@tanstack/react-query";
import {
  baasixKeys,
  RequirePermission,
  RequireRole,
  SignedIn,
  SignedOut,
  usePermission,
  useSession,
  useUser,
} from ".";
import { testAdmin } from "../server/testing/app";
import { probe } from "./testing/render";
import { openScene, type Scene } from "./testing/scene";

setDefaultTimeout(30_000);

let scene: Scene;
let admin: Baasix;

openScene(async (opened) => {
  scene = opened;
  ({ admin } = opened);
  await admin.schemas.create("posts", {
    name: "Post",
    fields: {
      id: { type: "UUID", primaryKey: true, defaultValue: { type: "UUIDV4" } },
      title: { type: "String" },
      note: { type: "String" },
    },
  });
  const role = (await admin.roles.findByName("user"))?.id ?? "";
  await admin.permissions.createCrudPermissions(role, "posts", {
    read: {},
    update: { fields: ["title"], conditions: { title: { ne: "fixed" } } },
  });
});
/** A client that notes its requests. */
function client(storage: StorageAdapter = new MemoryStorageAdapter()) {
  const requests: string[] = [];
  const baasix = scene.client({
    storage,
    fetch(address, init) {
      requests.push(`${init.method} ${new URL(address).pathname}`);
      return fetch(address, init);
    },
  });
  return { baasix, requests };
}

let accounts = 0;
async function signedUp() {
  const made = client();
  const email = `member${++accounts}@example.com`;
  await made.baasix.auth.register({ email, password: "password123", firstName: "Ann" });
  made.requests.length = 0;
  return { ...made, email };
}

function show(...given: Parameters<Scene["show"]>) {
  const { cache, host } = scene.show(...given);
  return { cache, text: () => host.textContent };
}

test("useSession and useUser ask once, know nobody without asking, and forget at sign-out", async () => {
  const { baasix, requests, email } = await signedUp();
  const view = probe<{
    session: UseQueryResult<MeResult | null>;
    user: UseQueryResult<SessionUser | null>;
  }>();
  const read = () => ({ session: { ...useSession() }, user: { ...useUser() } });
  const { cache } = show(baasix, <view.Probe read={read} />);
  const { session, user } = await view.until((now) => now.session.isSuccess && !now.user.isPlaceholderData);
  expect(view.all[0]?.user.data?.email).toBe(email);
  expect([user.data?.email, session.data?.tenant, session.data?.roles.map(({ name }) => name)]).toEqual([
    email,
    null,
    ["user"],
  ]);
  expect(requests).toEqual(["GET /auth/me"]);

  await admin.items("baasix_User").update(user.data?.id ?? "", { firstName: "Anna" });
  const before = view.all.length;
  await baasix.auth.getUser();
  await view.until((now) => view.all.indexOf(now) >= before && now.user.data?.firstName === "Anna");
  expect(requests.length).toBe(2);

  await baasix.auth.logout();
  const out = await view.until((now) => now.session.data === null && now.user.data === null);
  expect(out.session.isSuccess).toBe(true);
  expect(requests.filter((request) => request.startsWith("GET"))).toHaveLength(2);
  expect(JSON.stringify(cache.getQueriesData({ queryKey: [] }))).not.toContain(email);
});

test("usePermission tells of actions and fields, one request for all, and anew for the next user", async () => {
  const { baasix, requests } = await signedUp();
  const view = probe<readonly ReturnType<typeof usePermission>[]>();
  const read = () => [
    usePermission("posts", "read"),
    usePermission("posts", "update", "title"),
    usePermission("posts", "update", "note"),
    usePermission("posts", "delete"),
  ];
  show(baasix, <view.Probe read={read} />);
  const allowed = (now: readonly ReturnType<typeof usePermission>[]) => now.map((right) => right.allowed);
  expect(allowed(await view.until(() => true))).toEqual([false, false, false, false]);
  const known = await view.until(([first]) => first?.isPending === false);
  expect(allowed(known)).toEqual([true, true, false, false]);
  expect(known.map(({ conditional }) => conditional)).toEqual([false, true, false, false]);
  expect(requests).toEqual(["GET /permissions/me"]);

  await baasix.auth.login(testAdmin);
  expect(allowed(await view.until((now) => now[3]?.allowed === true))).toEqual([true, true, true, true]);
  await baasix.auth.logout();
  await view.until((now) => now[0]?.isPending === false && allowed(now).every((may) => !may));
});

function Guarded() {
  const of = (name: string) => ({ fallback: ` no ${name}`, pending: ` ? ${name}` });
  return (
    <>
      <SignedIn {...of("in")}> in</SignedIn>
      <SignedOut {...of("out")}> out</SignedOut>
      <RequireRole role="administrator" {...of("admin")}>
        {" "}
        admin
      </RequireRole>
      <RequireRole role={["editor", "user"]} {...of("editor")}>
        {" "}
        editor
      </RequireRole>
      <RequirePermission collection="posts" action="update" field="note" {...of("note")}>
        {" "}
        note
      </RequirePermission>
    </>
  );
}

test("guards show what concerns whoever is there, and nothing before that is known", async () => {
  const { baasix, email } = await signedUp();
  await baasix.auth.logout();
  const { text } = show(baasix, <Guarded />);
  await reads(text, " no in out no admin no editor no note");
  await baasix.auth.login({ email, password: "password123" });
  await reads(text, " in no out no admin editor no note");
  await baasix.auth.login(testAdmin);
  await reads(text, " in no out admin no editor note");
  await baasix.auth.logout();
  await reads(text, " no in out no admin no editor no note");

  const kept = Promise.withResolvers<null>();
  const { baasix: late } = client({
    get: () => kept.promise,
    set: () => undefined,
    remove: () => undefined,
  });
  const { text: unknown } = show(late, <Guarded />);
  await reads(unknown, " ? in ? out ? admin ? editor ? note");
  kept.resolve(null);
  await reads(unknown, " no in out no admin no editor no note");
});

/** Waits for what a page reads. */
async function reads(text: () => string | null, wanted: string): Promise<void> {
  for (const end = Date.now() + 20_000; text() !== wanted;) {
    if (Date.now() > end) throw new Error(`it reads '${text()}', not '${wanted}'`);
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("keys of the session are under those of the user", async () => {
  const { baasix } = await signedUp();
  const own = baasixKeys.user(baasix);
  for (const key of [baasixKeys.session(baasix), baasixKeys.rights(baasix), baasixKeys.tenants(baasix)])
    expect(key.slice(0, 4)).toEqual([...own] as never);
});
