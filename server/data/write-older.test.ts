/** The writing statements on the oldest PostgreSQL that is at hand: they use nothing that it does not know. */
import { expect, test } from "bun:test";
import { system } from "../core/access/actor";
import { testApp } from "../testing/app";
import { externalServer } from "../testing/postgres";

test("every write works on an older server, audit entries too", async () => {
  const server = await externalServer();
  const app = await testApp({ address: server.address });
  try {
    const { data } = app;
    const actor = system("test of writes");
    const schema = {
      name: "Thing",
      paranoid: true,
      fields: {
        id: { type: "Integer", primaryKey: true },
        sku: { type: "String", unique: true },
        serial: { type: "String", immutable: true },
      },
    };
    const body = { collectionName: "things", schema };
    expect((await app.call("POST", "/schemas", { token: app.admin, body })).status).toBe(201);
    const ids = [1, 2, 3];
    await data.create(
      actor,
      "things",
      ids.map((id) => ({ id, sku: `s${id}` })),
    );
    const { version } = await data.readOne(actor, "things", 1);
    await data.update(actor, "things", [{ id: 1, data: { serial: "x" }, version }]);
    await expect(data.update(actor, "things", [{ id: 1, data: {}, version }])).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    await expect(data.update(actor, "things", [{ id: 1, data: { serial: "y" } }])).rejects.toMatchObject({
      code: "VALIDATION_ERROR",
      details: { errors: [{ field: "serial", rule: "immutable" }] },
    });
    expect(await data.updateWhere(actor, "things", { id: { gt: 1 } }, { serial: "z" })).toEqual([2, 3]);
    expect(await data.removeWhere(actor, "things", { id: 3 })).toEqual([3]);
    expect(await data.restore(actor, "things", [3])).toEqual([3]);
    const upserted = [{ sku: "s1" }, { sku: "s9", id: 9 }];
    expect(await data.upsert(actor, "things", { on: ["sku"] }, upserted)).toEqual([
      { id: 1, created: false },
      { id: 9, created: true },
    ]);
    expect(await data.remove(actor, "things", [1, 9], { permanent: true })).toEqual([1, 9]);
    const entries = await data.find<{ action: string; entityId: string }>(actor, "baasix_AuditLog", {
      filter: { entity: "things" },
      sort: "id",
      limit: -1,
    });
    const told = entries.map(({ action, entityId }) => `${action} ${entityId}`).join(", ");
    expect(told).toBe(
      "create 1, create 2, create 3, update 1, update 2, update 3, delete 3, restore 3, create 9, update 1, delete 1, delete 9",
    );
  } finally {
    await app.close();
    await server.stop();
  }
}, 20_000);
