/** What the signed-in user may do, to offer nothing that the server would refuse. The server decides all the same. */
import { baasixKeys, useBaasix } from "@baasix/react";
import type { Action, MeResult } from "@baasix/types";
import { useQuery } from "@tanstack/react-query";

/** Whether the user may do something on a collection; false until it is known. */
export function useMay(action: Action, collection: string): boolean {
  const client = useBaasix();
  const { data } = useQuery({
    queryKey: [...baasixKeys.user(client), "me"],
    queryFn: ({ signal }) => client.request<MeResult>({ path: "/auth/me", signal }),
  });
  if (!data) return false;
  const { role, permissions } = data;
  const granted = permissions.some((row) => row.collection === collection && row.action === action);
  return role?.name === "administrator" || granted;
}
