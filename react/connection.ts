/** How the realtime connection stands. */
import type { ConnectionState } from "@baasix/sdk";
import { useSyncExternalStore } from "react";
import { useBaasix } from "./provider";

/** The connection as a component sees it. */
export type UseConnectionResult = {
  readonly state: ConnectionState;
  readonly isConnected: boolean;
  /** Makes the connection anew at once, where it is waiting for its next attempt. @throws BaasixError */
  readonly reconnect: () => Promise<void>;
};

/** How the realtime connection stands. Renders again at each change; connects nothing by itself. */
export function useConnection(): UseConnectionResult {
  const { realtime } = useBaasix();
  const state = useSyncExternalStore(
    realtime.onConnectionStateChange,
    realtime.getConnectionState,
    (): ConnectionState => "disconnected",
  );
  return { state, isConnected: state === "connected", reconnect: realtime.reconnect };
}

/** Whether the realtime connection stands. Renders again at each change. */
export function useIsConnected(): boolean {
  const { realtime } = useBaasix();
  return useSyncExternalStore(
    realtime.onConnectionChange,
    () => realtime.isConnected,
    () => false,
  );
}
