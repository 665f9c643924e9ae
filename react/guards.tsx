/** Components that show something to those whom it concerns. They hide, and protect nothing: that the server does. */
import type { Action } from "@baasix/sdk";
import type { ReactNode } from "react";
import { usePermission, useSession } from "./account";
import { useAuthState } from "./auth";
import { useBaasix } from "./provider";

/** What every guard takes. */
export type GuardProps = {
  readonly children?: ReactNode;
  /** Shown to everybody else. Default: nothing. */
  readonly fallback?: ReactNode;
  /** Shown until it is known who is there. Default: nothing. */
  readonly pending?: ReactNode;
};

function show({ children, fallback, pending }: GuardProps, allowed: boolean | undefined): ReactNode {
  if (allowed === undefined) return pending;
  return allowed ? children : fallback;
}

/** Shown to who is signed in. */
export function SignedIn(props: GuardProps): ReactNode {
  const { isAuthenticated, isLoading } = useAuthState(useBaasix());
  return show(props, isLoading ? undefined : isAuthenticated);
}

/** Shown when nobody is signed in. */
export function SignedOut(props: GuardProps): ReactNode {
  const { isAuthenticated, isLoading } = useAuthState(useBaasix());
  return show(props, isLoading ? undefined : !isAuthenticated);
}

/** Properties of `RequireRole`. */
export type RequireRoleProps = GuardProps & {
  /** A name, or several of which one will do. Administrators are named like all others. */
  readonly role: string | readonly string[];
};

/** Shown to who has a role, in the tenant of the session. */
export function RequireRole({ role, ...props }: RequireRoleProps): ReactNode {
  const wanted = typeof role === "string" ? [role] : role;
  const { data, isPending } = useSession();
  const held = data?.roles.some(({ name }) => wanted.includes(name)) ?? false;
  return show(props, isPending && !data ? undefined : held);
}

/** Properties of `RequirePermission`. */
export type RequirePermissionProps = GuardProps & {
  readonly collection: string;
  readonly action: Action;
  /** A column, or a path such as `author.name`. */
  readonly field?: string;
};

/** Shown to who may do something, be it on some items alone. */
export function RequirePermission({
  collection,
  action,
  field,
  ...props
}: RequirePermissionProps): ReactNode {
  const { allowed, isPending } = usePermission(collection, action, field);
  return show(props, isPending ? undefined : allowed);
}
