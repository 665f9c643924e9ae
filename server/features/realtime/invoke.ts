/** `invoke`: clients call handlers of the server's own code by name, and get what they give. */
import type { UserActor } from "../../core/access/actor";
import { AppError } from "../../core/errors";
import type { Logger } from "../../http";
import type { Capability } from "./capability";
import { requireSize, requireUser } from "./holds";
import { limits } from "./limits";

/** Who calls. `signal` aborts when the time is over. */
export type MessageContext = {
  readonly actor: UserActor;
  readonly socketId: string;
  readonly signal: AbortSignal;
};

/**
 * Answers a call; what it gives (JSON) is the result. `payload` is whatever the client sent: a handler checks it. An
 * AppError reaches the client as it is, anything else as INTERNAL_ERROR.
 */
export type MessageHandler = (payload: unknown, context: MessageContext) => unknown;

export type Invocations = Capability & {
  /** One name has one handler. @throws Error for a name that is taken or the system's own */
  readonly register: (event: string, handler: MessageHandler) => void;
  readonly unregister: (event: string) => void;
};

/** Makes the capability of `invoke`. `patience`: how long a handler may work, in ms. */
export function createInvocations(logger: Logger, patience: number = limits.invoke): Invocations {
  const handlers = new Map<string, MessageHandler>();

  const run = async (
    event: string,
    payload: unknown,
    actor: UserActor,
    socketId: string,
  ): Promise<unknown> => {
    const handler = handlers.get(event);
    if (!handler) throw new AppError("NOT_FOUND", `No handler registered for event: ${event}`);
    const late = new AbortController();
    const given = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      given.reject(new AppError("TIMEOUT", `${event}: no answer in ${patience / 1000} s`));
      late.abort();
    }, patience);
    try {
      const work = (async () => handler(payload, { actor, socketId, signal: late.signal }))();
      // A handler that fails after its time is over has nobody left to tell.
      work.catch(() => {});
      return await Promise.race([work, given.promise]);
    } catch (error) {
      if (!(error instanceof AppError)) logger.error("realtime: a message handler failed", { event, error });
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    handlers: {
      invoke: async (peer, { id, event, payload = null }, actor) => {
        const data = (await run(event, payload, requireUser(actor, "invoke"), peer.id)) ?? null;
        requireSize("a result", data, limits.payload);
        peer.send({ type: "result", id, data });
      },
    },
    register: (event, handler) => {
      if (/^(baasix|system):/i.test(event)) throw new Error(`'${event}' is a name of the system`);
      if (handlers.has(event)) throw new Error(`'${event}' has a handler already`);
      handlers.set(event, handler);
    },
    unregister: (event) => void handlers.delete(event),
  };
}
