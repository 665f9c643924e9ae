/** The parts that commands of the terminal need, without HTTP. */
import { resolve } from "node:path";
import type { AdminLink } from "@baasix/types";
import { type Config, tenantsOf } from "./config";
import { createData, createTotals, openSnapshot } from "./data";
import {
  confirmAddressOf,
  createAdmin,
  createPasswordPolicy,
  listAccounts,
  listAdmins,
  type ListedAccount,
  type OperatorLink,
  operatorLink,
  removeAccount,
  setPasswordOf,
  setStatus,
  upsertAdmin,
} from "./features/auth";
import { type DatabaseAddress, openDatabase } from "./platform/postgres";
import { attachEmbedded } from "./platform/postgres/embedded";
import { openServerDatabase } from "./start";

/** What commands of the terminal need. */
export type Parts = {
  readonly admin: {
    /** @throws AppError CONFLICT when the mail has an account. */
    readonly create: (email: string, password: string) => Promise<{ readonly id: string }>;
    readonly upsert: (
      email: string,
      password: string,
    ) => Promise<{ readonly id: string; readonly created: boolean }>;
    readonly list: () => Promise<readonly { readonly id: string; readonly email: string }[]>;
  };
  /** Any account, by its mail address; gives its id. All throw AppError NOT_FOUND. */
  readonly users: {
    readonly list: (status?: ListedAccount["status"]) => AsyncGenerator<readonly ListedAccount[]>;
    readonly suspend: (email: string) => Promise<string>;
    readonly activate: (email: string) => Promise<string>;
    readonly confirm: (email: string) => Promise<string>;
    readonly setPassword: (email: string, password: string) => Promise<string>;
    readonly remove: (email: string) => Promise<string>;
    /** Makes a link of a mail, which nobody mails. */
    readonly link: (input: OperatorLink) => Promise<AdminLink>;
  };
  readonly close: () => Promise<void>;
};

/**
 * Opens the database for a command: DATABASE_URL, the embedded server that already runs on the data directory, or
 * one that is started for as long as the command takes.
 * @throws StartError
 */
export async function openParts(config: Config): Promise<Parts> {
  const running = config.DATABASE_URL ? null : attachEmbedded(resolve(config.BAASIX_DIR));
  const opened = running ? { address: running, stop: async () => {} } : await openServerDatabase(config);
  return partsOn(opened.address, config, opened.stop);
}

/** The same on a database that is there; `stop` ends it when the parts are closed, or cannot be opened. */
export async function partsOn(
  address: DatabaseAddress,
  config: Config,
  stop: () => Promise<void>,
): Promise<Parts> {
  try {
    const database = await openDatabase(address, { shortPool: 1, slowPool: 1 });
    const snapshot = await openSnapshot(database, { tenants: tenantsOf(config) });
    // A command reads too little to remember totals.
    const totals = createTotals({ schema: () => snapshot.current().schema, live: () => false });
    const data = createData({
      database,
      snapshot: snapshot.current,
      reloadSchema: snapshot.reloadSchema,
      now: Date.now,
      totals,
    });
    const policy = createPasswordPolicy(config);
    return {
      admin: {
        create: (email, password) => createAdmin(data, { email, password }, policy),
        upsert: (email, password) => upsertAdmin(data, { email, password }, policy),
        list: () => listAdmins(data),
      },
      users: {
        list: (status) => listAccounts(data, status),
        suspend: (email) => setStatus(data, email, "suspended"),
        activate: (email) => setStatus(data, email, "active"),
        confirm: (email) => confirmAddressOf(data, email),
        setPassword: (email, password) => setPasswordOf(data, { email, password }, policy),
        remove: (email) => removeAccount(data, email),
        link: (input) => operatorLink(data, config, input),
      },
      close: async () => {
        await database.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
