export {
  addressKey,
  type ClientAddress,
  createAddressList,
  createClientAddress,
  type PeerSource,
} from "./address";
export { textBody } from "./body";
export { jsonBody } from "./documented";
export { errorAnswer, statusOf, toAppError } from "./errors";
export { type Authenticate, type Identity, identity } from "./identity";
export { checkJson, jsonLimit, parseJson } from "./json";
export { createLogger, type LogFields, type Logger, type LoggerOptions, type LogLevel, mask } from "./logger";
export { createOrigins, type OriginConfig, type Origins } from "./origins";
export { createRecent, type Recent } from "./recent";
export { nextRequestId, type RequestFacts, requestFacts, settleFacts } from "./request";
export { shapeError } from "./shape";
export { shell, type ShellOptions } from "./shell";
export { namesTag, strongTags } from "./tags";
export { createWindowCounter, type WindowCount, type WindowCounter } from "./window";
export { readQueryString } from "./queryString";
