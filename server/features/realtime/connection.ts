/**
 * One socket: who it is, and how much it may still ask. What its frames mean is the capabilities' affair. Bun calls it
 * through `ServerWebSocket.data`.
 */
import { type ClientFrame, closeCodes, realtimeVersion, type ServerFrame } from "@baasix/types";
import type { ServerWebSocket } from "bun";
import { type Actor, anonymous, type UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Dispatch, Peer } from "./capability";
import { encodeError, encodeFrame } from "./frames";
import { type Bucket, createBucket, limits } from "./limits";
import { parseFrame } from "./model";

/** The topic of every socket that was let in. */
export const everyone = "all";

/** What a connection needs of the rest. */
export type ConnectionParts = {
  readonly capabilities: Dispatch;
  /** Who a token stands for, and until when (ms since 1970). @throws AppError UNAUTHORIZED, FORBIDDEN */
  readonly proveToken: (
    token: string,
    address: string,
  ) => Promise<{ readonly actor: UserActor; readonly expiresAt: number }>;
  /** Takes a socket in under its actor, in place of what it was before. @throws AppError RATE_LIMITED when there are too many */
  readonly admit: (connection: Connection, actor: Actor) => void;
  readonly release: (connection: Connection) => void;
  /** Grows whenever sockets are asked again who they are. */
  readonly rechecks: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds that a socket has to say who it is. */
  readonly patience: number;
};

type Proof = { readonly actor: Actor; readonly token: string | null; readonly expiresAt: number };

/** The longest delay of a timer, in ms. */
const longestDelay = 2 ** 31 - 1;

/** The state of a socket and what it does at each message; the socket itself does the sending. */
export class Connection implements Peer {
  readonly #parts: ConnectionParts;
  /** The client's address, as sockets of nobody in particular are counted by it. */
  readonly address: string;
  readonly id = crypto.randomUUID();
  readonly #bucket: Bucket;
  #socket: ServerWebSocket<Connection> | null = null;
  /** The credential of the upgrade, until it was looked at. */
  #credential: string | null;
  #proof: Proof | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Messages that came while a token is being checked; null: none is. */
  #waiting: string[] | null = null;
  /** Counts the times that the socket was asked again who it is. */
  #turn = 0;
  #refusals = 0;
  #mistakes = 0;
  /** When it gave its last sign of life, and when it was asked for another one since. */
  #heardAt = performance.now();
  #askedAt: number | null = null;
  /** Requests whose answers are still being worked on. */
  #unanswered = 0;

  constructor(parts: ConnectionParts, address: string, credential: string | null) {
    this.#parts = parts;
    this.address = address;
    this.#credential = credential;
    this.#bucket = createBucket(parts.now);
  }

  get actor(): Actor | null {
    return this.#proof?.actor ?? null;
  }

  get isOpen(): boolean {
    return this.#socket !== null;
  }

  /** Called when the upgrade is done. */
  open(socket: ServerWebSocket<Connection>): void {
    this.#socket = socket;
    this.#wait(this.#parts.patience, "nobody signed in in time");
    try {
      this.#parts.admit(this, anonymous);
    } catch (error) {
      return this.#refuse(error, null);
    }
    const credential = this.#credential;
    this.#credential = null;
    if (credential !== null) void this.#authenticate(null, credential);
  }

  /** Called for each message, in order. */
  message(_socket: ServerWebSocket<Connection>, message: string | Buffer): void {
    this.heard();
    if (!this.#bucket.take()) return this.#throttle(message);
    this.#refusals = 0;
    if (typeof message !== "string") {
      return this.#mistake(new AppError("INVALID_JSON", "A message must be text, one JSON object"), null);
    }
    if (this.#waiting === null) return this.#handle(message);
    const size = this.#waiting.reduce((sum, each) => sum + each.length, message.length);
    if (size > limits.waiting) return this.end(closeCodes.tooMany, "too much sent before the answer");
    this.#waiting.push(message);
  }

  /** Called when the socket has closed, whoever closed it. */
  close(): void {
    clearTimeout(this.#timer);
    this.#socket = null;
    this.#waiting = null;
    this.#parts.capabilities.close(this);
    this.#parts.release(this);
  }

  /** Called at each sign of life. */
  heard(): void {
    this.#heardAt = performance.now();
    this.#askedAt = null;
  }

  /**
   * Asks for a sign of life after half of `silence` (ms), and gives the socket up after another half. Bun's own timer starts
   * over whenever something is sent: whoever's cable is pulled would stay a member of a room in which others speak.
   */
  beat(silence: number): void {
    const now = performance.now();
    if (now - (this.#askedAt ?? this.#heardAt) < silence / 2) return;
    if (this.#askedAt !== null) return this.#socket?.terminate();
    this.#askedAt = now;
    this.#socket?.ping();
  }

  /** Closes the socket, with a code of RFC 6455 or of the protocol. */
  end(code: number, reason: string): void {
    this.#socket?.close(code, reason);
  }

  // Values, not methods: capabilities hand them on without their socket.
  readonly join = (topic: string): void => void this.#socket?.subscribe(topic);
  readonly leave = (topic: string): void => void this.#socket?.unsubscribe(topic);
  readonly publish = (topic: string, text: string): void => void this.#socket?.publish(topic, text);
  readonly sendText = (text: string): void => void this.#socket?.send(text);
  readonly send = (frame: Exclude<ServerFrame, { readonly type: "change" }>): void =>
    this.sendText(encodeFrame(frame));
  readonly sendError = (error: unknown, id: string | null, subscription?: string): void =>
    this.sendText(encodeError(error, id, subscription));

  /** Asks again who the token belongs to: its session may have ended, its user may have another role. */
  async recheck(): Promise<void> {
    const token = this.#proof?.token ?? null;
    if (token === null) return;
    const turn = ++this.#turn;
    try {
      const proven = await this.#parts.proveToken(token, this.address);
      const proof = this.#proof;
      // Meanwhile another token may have come; and of several answers the one that was asked for last is the newest.
      const counts = this.#socket !== null && proof?.token === token && this.#turn === turn;
      if (proof && counts) this.#become({ ...proof, ...proven });
    } catch (error) {
      if (this.#proof?.token === token) this.#refuse(error, null);
    }
  }

  /** Everything that it holds is judged again under the rules as they are now. */
  renew(): void {
    const actor = this.#proof?.actor;
    if (actor) this.#parts.capabilities.renew(this, actor);
  }

  #handle(message: string): void {
    const parsed = parseFrame(message);
    if ("error" in parsed) return this.#mistake(parsed.error, parsed.id);
    const { frame } = parsed;
    this.#mistakes = 0;
    try {
      this.#perform(frame);
    } catch (error) {
      this.sendError(error, frame.id);
    }
  }

  #perform(frame: ClientFrame): void {
    if (frame.type === "authenticate") {
      if (frame.version !== realtimeVersion) {
        const error = new AppError("BAD_REQUEST", `version: this server speaks version ${realtimeVersion}`);
        return this.#refuse(error, frame.id, closeCodes.protocol);
      }
      return void this.#authenticate(frame.id, frame.token);
    }
    const actor = this.#proof?.actor;
    if (!actor) throw new AppError("UNAUTHORIZED", "Send an authenticate frame first");
    if (frame.type === "ping") return this.send({ type: "pong", id: frame.id });
    if (this.#unanswered >= limits.unanswered) {
      throw new AppError("RATE_LIMITED", `At most ${limits.unanswered} requests without an answer`);
    }
    const work = this.#parts.capabilities.handle(this, frame, actor);
    if (work) void this.#answer(work, frame.id);
  }

  async #answer(work: Promise<void>, id: string): Promise<void> {
    this.#unanswered++;
    try {
      await work;
    } catch (error) {
      this.sendError(error, id);
    }
    this.#unanswered--;
  }

  /** Frames that come meanwhile wait, so that they are judged as who the socket then is. */
  async #authenticate(id: string | null, token: string | null): Promise<void> {
    this.#waiting = [];
    try {
      const { actor, expiresAt } =
        token === null ? { actor: anonymous, expiresAt: Infinity } : await this.#identify(token);
      if (this.#socket === null) return;
      this.#parts.admit(this, actor);
      this.join(everyone);
      const userId = actor.kind === "user" ? actor.id : null;
      this.send({ type: "connected", id, userId, socketId: this.id, version: realtimeVersion });
      this.#become({ actor, token, expiresAt });
    } catch (error) {
      this.#refuse(error, id);
    }
    this.#resume();
  }

  /** A session that ends while it is looked up must not slip through: nobody would ask about this socket again. */
  async #identify(token: string): Promise<Omit<Proof, "token">> {
    for (;;) {
      const before = this.#parts.rechecks();
      const proven = await this.#parts.proveToken(token, this.address);
      if (before === this.#parts.rechecks()) return proven;
    }
  }

  #resume(): void {
    const messages = this.#waiting ?? [];
    this.#waiting = null;
    while (messages.length > 0 && this.#socket !== null && this.#waiting === null) {
      this.#handle(messages.shift() ?? "");
    }
    // A second authenticate among them: what is left waits for its answer.
    if (this.#waiting !== null) (this.#waiting as string[]).push(...messages);
  }

  #become(proof: Proof): void {
    const before = this.#proof;
    this.#proof = proof;
    if (proof.expiresAt === Infinity) clearTimeout(this.#timer);
    else this.#wait(proof.expiresAt - this.#parts.now(), "the token has expired");
    if (before !== null && JSON.stringify(before.actor) !== JSON.stringify(proof.actor)) this.renew();
  }

  #wait(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    const end = () => this.#refuse(new AppError("UNAUTHORIZED", reason), null);
    this.#timer = setTimeout(end, Math.min(Math.max(0, ms), longestDelay));
  }

  #throttle(message: string | Buffer): void {
    if (++this.#refusals > limits.refusals) return this.end(closeCodes.tooMany, "too many messages");
    const error = new AppError(
      "RATE_LIMITED",
      `At most ${limits.rate} messages a second; try again in a moment`,
    );
    const parsed = typeof message === "string" && message.length <= 4096 ? parseFrame(message) : null;
    const id = parsed === null ? null : "frame" in parsed ? parsed.frame.id : parsed.id;
    this.sendError(error, id);
  }

  #mistake(error: AppError, id: string | null): void {
    if (++this.#mistakes > limits.mistakes) return this.#refuse(error, id, closeCodes.protocol);
    this.sendError(error, id);
  }

  #refuse(error: unknown, id: string | null, code = codeOf(error)): void {
    this.sendError(error, id);
    this.end(code, error instanceof AppError ? error.message.slice(0, 100) : "something went wrong");
  }
}

/** With which code an error ends a socket. Whatever is not the client's doing may be over in a moment. */
function codeOf(error: unknown): number {
  const code = error instanceof AppError ? error.code : "INTERNAL_ERROR";
  if (code === "UNAUTHORIZED" || code === "FORBIDDEN" || code === "MFA_REQUIRED")
    return closeCodes.unauthorized;
  return code === "RATE_LIMITED" ? closeCodes.tooMany : closeCodes.tryAgain;
}
