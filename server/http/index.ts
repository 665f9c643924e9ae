export { type Authenticate, type Identity, identity } from "./identity";
