/** Tenants over HTTP: the caller's own, going from one to another, founding one. */
import { Elysia } from "elysia";
import type { NewTenantResult, TenantsResult } from "@baasix/types";
import type { Actor } from "../../core/access/actor";
import { answer, documented, guardCookieMode, originOf, signedInAnswer } from "./answers";
import { findCredential } from "./credentials";
import { requireSession } from "./fresh";
import { checked, newTenant, requireTexts, switchTenantBody } from "./model";
import type { AuthParts } from "./parts";
import { foundTenant, requireTenants, switchTenant, tenantsOf } from "./tenants";

/** Mounts them. Who lacks a second factor that a tenant asks for may still go to another one. */
export function tenantRoutes(parts: AuthParts) {
  const { config, data, enrolling, identity } = parts;
  const going = new Elysia({ name: "auth going to tenants" })
    .use(enrolling)
    .get("/auth/tenants", ({ actor }) => list(actor), documented("Tenants that I may act in"))
    .post(
      "/auth/switch-tenant",
      ({ actor, body, request }) => go(actor, body, request),
      documented("Act in another tenant: gives a new session in place of this one", switchTenantBody),
    );
  return new Elysia({ name: "auth tenants" })
    .use(going)
    .use(identity)
    .post(
      "/auth/tenants",
      ({ actor, body, request }) => found(actor, body, request),
      documented("Found a tenant and become its owner", newTenant),
    );

  async function list(actor: Actor): Promise<Response> {
    const { id } = requireSession(actor);
    requireTenants(config);
    const body: TenantsResult = { tenants: await tenantsOf(data, id) };
    return answer(body);
  }

  async function go(actor: Actor, sent: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireTenants(config);
    requireTexts(sent, ["tenant_Id"], "Tenant ID is required");
    const { tenant_Id, authMode: asked } = checked(switchTenantBody, sent);
    // What came by cookie is answered by cookie: a script must not lift a refresh token out of it.
    const authMode = findCredential(request)?.from === "cookie" ? "cookie" : asked;
    guardCookieMode(parts, authMode, request);
    return signedInAnswer(parts, await switchTenant(parts, user, tenant_Id, originOf(request)), authMode);
  }

  async function found(actor: Actor, sent: unknown, request: Request): Promise<Response> {
    const user = requireSession(actor);
    requireTenants(config);
    const { name } = checked(newTenant, sent);
    const body: NewTenantResult = {
      message: "Tenant created successfully",
      tenant: await foundTenant(parts, user, name, originOf(request)),
    };
    return answer(body, [], 201);
  }
}
