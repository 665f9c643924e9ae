export { isLoopbackHost } from "./address";
export {
  createOutbound,
  type Outbound,
  OutboundError,
  type OutboundOptions,
  type OutboundRequest,
} from "./outbound";
