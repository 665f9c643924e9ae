/** What a page sends and receives, whole: requests, answers and WebSocket frames. */
import type { Page, Request } from "playwright-core";

/** One thing that crossed the network. `text` holds everything but binary bodies. */
export type Exchange = { readonly url: string; readonly text: string };

/** Records a page from now on. `read` gives what crossed so far, once all bodies are in. */
export function recordNetwork(page: Page): { readonly read: () => Promise<readonly Exchange[]> } {
  const exchanges: (Exchange | Promise<Exchange>)[] = [];
  const note = (exchange: Promise<Exchange>): void => {
    // What a closing page cuts off fails in `read`, if anyone still reads, and not on its own after the test.
    exchange.catch(() => {});
    exchanges.push(exchange);
  };
  page.on("request", (request) => note(describeRequest(request)));
  page.on("requestfinished", (request) => note(describeAnswer(request)));
  page.on("websocket", (socket) => {
    const url = socket.url();
    exchanges.push({ url, text: "" });
    const record = ({ payload }: { readonly payload: string | Buffer }) =>
      exchanges.push({ url, text: payload.toString() });
    socket.on("framesent", record).on("framereceived", record);
  });
  return { read: () => Promise.all(exchanges) };
}

async function describeRequest(request: Request): Promise<Exchange> {
  const head = `${request.method()} ${decodeURIComponent(request.url())}`;
  return { url: request.url(), text: `${head}\n${request.postData() ?? ""}` };
}

async function describeAnswer(request: Request): Promise<Exchange> {
  const response = await request.response();
  // A preflight and an answer that a navigation cut off have no body.
  const body = response ? await response.text().catch(() => "") : "";
  return { url: request.url(), text: `${JSON.stringify(await response?.allHeaders())}\n${body}` };
}
