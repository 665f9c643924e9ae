/** Whether a value is what an example says. */

/** Stands for any value; `{"…": "…"}` for any further members of an object. */
const any = "…";

/** True when it is what the example says. */
export function matches(value: unknown, said: unknown): boolean {
  return Bun.deepEquals(value, complete(said, value), true);
}

/** What is said, with what stands for anything taken from the value itself: what differs then is wrong. */
export function complete(said: unknown, value: unknown): unknown {
  if (said === any) return value === undefined ? said : value;
  if (Array.isArray(said)) {
    return said.map((member, i) => complete(member, Array.isArray(value) ? value[i] : undefined));
  }
  if (typeof said !== "object" || said === null) return said;
  const { [any]: more, ...members } = said as Record<string, unknown>;
  const given = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const filled = Object.entries(members).map(
    ([name, member]) => [name, complete(member, given[name])] as const,
  );
  return { ...(more === any && given), ...Object.fromEntries(filled) };
}
