import { describe, expect, test } from "bun:test";
import { AppError } from "../../core/errors";
import { Gate } from "./gate";

describe("gate", () => {
  test("admits as many as it has places, then in the order of arrival", async () => {
    const gate = new Gate(2);
    const order: string[] = [];
    await gate.enter();
    await gate.enter();
    expect(gate.tryEnter()).toBe(false);
    const waiting = ["a", "b", "c"].map((name) => gate.enter().then(() => order.push(name)));
    gate.leave();
    await waiting[0];
    expect(order).toEqual(["a"]);
    gate.leave();
    gate.leave();
    await Promise.all(waiting);
    expect(order).toEqual(["a", "b", "c"]);
  });

  test("refuses who waited too long, and keeps the place count right", async () => {
    const gate = new Gate(1, 10);
    await gate.enter();
    const late = await Promise.allSettled([gate.enter(), gate.enter()]);
    expect(late.map((result) => result.status === "rejected" && result.reason.code)).toEqual([
      "UNAVAILABLE",
      "UNAVAILABLE",
    ]);
    gate.leave();
    expect(gate.tryEnter()).toBe(true);
    expect(gate.tryEnter()).toBe(false);
  });

  test("lets a waiter give up", async () => {
    const gate = new Gate(1);
    await gate.enter();
    const controller = new AbortController();
    const waiting = gate.enter(controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect(gate.enter(AbortSignal.abort(new AppError("NOT_FOUND", "gone")))).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    gate.leave();
    expect(gate.tryEnter()).toBe(true);
  });

  test("refuses all who wait when it closes", async () => {
    const gate = new Gate(1);
    await gate.enter();
    const waiting = gate.enter();
    gate.close(new AppError("UNAVAILABLE", "stopping"));
    await expect(waiting).rejects.toMatchObject({ message: "stopping" });
  });
});
