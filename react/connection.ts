/** Whether changes arrive. */
import { useSyncExternalStore } from "react";
import { useBaasix } from "./provider";

/** Whether the realtime connection stands. Renders again at each change. */
export function useIsConnected(): boolean {
  const { realtime } = useBaasix();
  return useSyncExternalStore(
    realtime.onConnectionChange,
    () => realtime.isConnected,
    () => false,
  );
}
