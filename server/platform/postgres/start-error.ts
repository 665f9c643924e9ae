/** Why the database could not be started or reached. */

/** Its message is one line for the terminal: what is wrong and what would work. Never holds a password. */
export class StartError extends Error {
  override readonly name = "StartError";
}
