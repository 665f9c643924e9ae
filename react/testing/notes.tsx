/** A page that shows who is signed in, where, and what that one may read there: for tests that render it in a browser. */
import { keepPreviousData } from "@tanstack/react-query";
import type { ReactNode } from "react";
import {
  RequirePermission,
  RequireRole,
  SignedIn,
  SignedOut,
  useAuth,
  useItems,
  useTenants,
  useUser,
} from "..";

/** What it shows of a collection `notes`. */
export type Note = { readonly id: string; readonly text: string };

/** The page. */
export function NotesPage(): ReactNode {
  const { tenant } = useAuth();
  const { data: user } = useUser();
  const { data: tenants } = useTenants();
  return (
    <main>
      <SignedOut pending="pending">nobody</SignedOut>
      <SignedIn pending="pending">
        {user?.firstName} in {tenant?.name}
        <Notes />
        <RequireRole role="user">
          <p>of {tenants?.length}</p>
        </RequireRole>
        <RequirePermission collection="notes" action="create">
          <p>may write</p>
        </RequirePermission>
      </SignedIn>
    </main>
  );
}

function Notes() {
  // The worst that an application may ask for: what was shown before, until there is something new.
  const { data } = useItems<Note>(
    "notes",
    { sort: "createdAt" },
    { placeholderData: keepPreviousData, live: true },
  );
  return (
    <ul>
      {data?.data.map(({ id, text }) => (
        <li key={id}>{text}</li>
      ))}
    </ul>
  );
}
