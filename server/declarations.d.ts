/** Assets that the bundler embeds: their import is a path. */
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const path: string;
  export default path;
}
declare module "swagger-ui-dist/swagger-ui.css" {
  const path: string;
  export default path;
}
/** Templates of mails, embedded as text. */
declare module "*.liquid" {
  const text: string;
  export default text;
}
