/** Sockets of clients, many and cheap: what comes in is handed on as text, and nothing is parsed once they stand. */
import { type ClientFrame, realtimeVersion, type ServerFrame } from "@baasix/types";
import { caller, user } from "./shop";

/** An account with a token. */
export type Account = { readonly id: string; readonly token: string };

/** Sockets that an account may have. */
export const socketsPerAccount = 20;

/** Makes accounts of the role that registration gives. `name` keeps them apart from those of other calls. */
export async function makeAccounts(url: string, count: number, name: string): Promise<readonly Account[]> {
  const register = (place: number): Promise<Answer> =>
    caller(url, null)("POST", "/auth/register", { ...user, email: `${name}${place}@example.com` });
  const made: Account[] = [];
  await inGroups(count, 8, async (place) => {
    const { token, user } = await register(place);
    made[place] = { id: user.id, token };
  });
  return made;
}
type Answer = { readonly token: string; readonly user: { readonly id: string } };

/** Does something for each place from 0 on, some at a time. */
export async function inGroups(
  count: number,
  atOnce: number,
  work: (place: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < count; from += atOnce) {
    const size = Math.min(atOnce, count - from);
    await Promise.all(Array.from({ length: size }, (_, place) => work(from + place)));
  }
}

/** What a socket asks for once it is let in, and the type of the answer that says it stands. */
export type Ask = { readonly frame: ClientFrame; readonly answer: ServerFrame["type"] };

/** Opens a socket; without `ask` it stands when it was let in. @throws Error when it is refused */
export async function listen(
  url: string,
  token: string | null,
  ask: Ask | null,
  onText: (text: string) => void,
): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/realtime`);
  const send = (frame: ClientFrame) => socket.send(JSON.stringify(frame));
  const stands = Promise.withResolvers<void>();
  let standing = false;
  const settle = (frame: ServerFrame) => {
    if (frame.type === "error") return stands.reject(new Error(frame.message));
    if (frame.type === "connected" && ask) return send(ask.frame);
    standing = frame.type === (ask?.answer ?? "connected");
    if (standing) stands.resolve();
  };
  socket.addEventListener("open", () =>
    send({ type: "authenticate", id: "1", token, version: realtimeVersion }),
  );
  socket.addEventListener("message", ({ data }) => {
    if (standing) onText(data as string);
    else settle(JSON.parse(String(data)) as ServerFrame);
  });
  socket.addEventListener("close", ({ code, reason }) =>
    stands.reject(new Error(`closed with ${code}: ${reason}`)),
  );
  await stands.promise;
  return socket;
}

/** Asks for all changes of a collection that the asker may see. */
export function subscribeTo(collection: string): Ask {
  return { frame: { type: "subscribe", id: "2", collection }, answer: "subscribed" };
}
