/** A hook that writes to several collections, all or nothing. */
import type { Transaction, TransactionOperation, TransactionResult, TransactionResults } from "@baasix/sdk";
import { baasixKeys } from "./keys";
import type { RegisteredCollections } from "./register";
import { type MutateOptions, type MutateResult, useWrite } from "./write";

/** What `mutate` of `useTransaction` takes: what `transaction()` has put together, or a list of operations. */
export type AnyTransaction = Pick<Transaction, "operations" | "run"> | readonly TransactionOperation[];

/** What a transaction answers: results in order. */
export type ResultsFor<Variables> = Variables extends readonly unknown[]
  ? readonly TransactionResult[]
  : TransactionResults;

/**
 * Runs transactions: `mutate(tx)` with what `useBaasix().transaction()` has put together, or with a list of operations.
 * Afterwards every collection that was written to is read again.
 */
export function useTransaction<Variables extends AnyTransaction = Transaction<RegisteredCollections>>(
  options: MutateOptions<ResultsFor<Variables>, Variables> = {},
): MutateResult<ResultsFor<Variables>, Variables> {
  return useWrite(options, {
    mutationKey: (client) => [...baasixKeys.user(client), "transaction"],
    async run(client, variables, call) {
      const results = isList(variables)
        ? await client.transaction(variables, call)
        : await variables.run(call);
      return results as ResultsFor<Variables>;
    },
    changes: (variables) =>
      (isList(variables) ? variables : variables.operations)
        .filter(({ action }) => action !== "read")
        .map(({ collection }) => collection),
  });
}

function isList(variables: AnyTransaction): variables is readonly TransactionOperation[] {
  return Array.isArray(variables);
}
