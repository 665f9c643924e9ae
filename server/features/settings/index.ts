export { checkSettings } from "./check";
export { type Settings, settingsOf } from "./settings";
