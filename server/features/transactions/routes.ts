/** `/transaction`: several operations over HTTP, all of them or none. */
import { Elysia } from "elysia";
import type { Actor } from "../../core/access/actor";
import type { Schema } from "../../core/schema/model";
import { type Identity, jsonBody } from "../../http";
import { type Idempotency, keyParameter } from "../idempotency";
import { dataAnswer, type KeepsDeleted, readParameters, refuseConditions } from "../items";
import { readTransaction, transactionBody } from "./model";
import { runTransaction } from "./run";

export type TransactionParts = {
  readonly identity: Identity;
  readonly once: Idempotency["once"];
  readonly keepsDeleted: KeepsDeleted;
  readonly schema: () => Schema;
};

const documented = {
  detail: {
    tags: ["Transactions"],
    summary: "Several operations in order, all of them or none",
    description:
      "Up to 100 operations over many collections, each with the caller's own rights. Values may refer to the results " +
      "of earlier operations: `{{0.id}}`, `{{name.data.price}}`.",
    parameters: [keyParameter],
    requestBody: { required: true, ...jsonBody(transactionBody).requestBody },
  },
};

/** The route of transactions. */
export function transactionRoutes({ identity, once, keepsDeleted, schema }: TransactionParts) {
  const perform = (actor: Actor, body: unknown, request: Request): Promise<Response> => {
    refuseConditions(request);
    readParameters(request);
    const transaction = readTransaction(body);
    const caller = { actor, keepsDeleted, schema, signal: request.signal };
    const reads = transaction.operations.every(({ action }) => action === "read");
    return once({ actor, request, body, reads }, async (rows) =>
      dataAnswer(`[${(await runTransaction(rows, caller, transaction)).join(",")}]`),
    );
  };
  return new Elysia({ name: "transactions" })
    .use(identity)
    .post("/transaction", ({ actor, body, request }) => perform(actor, body, request), documented);
}
