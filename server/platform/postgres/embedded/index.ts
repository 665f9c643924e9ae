export { attachEmbedded } from "./attach";
export { launchIfAsked } from "./launcher";
export { startEmbedded, type Embedded, type EmbeddedOptions } from "./start";
export { StartError } from "../start-error";
