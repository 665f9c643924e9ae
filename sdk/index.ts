export * from "@baasix/types";
export type { NewUser, Roles, UserInput, UserRecord, Users } from "./accounts";
export type { Auth, LoginRequest, PendingRegistration, RegisterRequest, Registration } from "./auth";
export type { InviteRequest, NoInvite } from "./invites";
export type {
  MagicLinkRequest,
  MailedCode,
  MailedToken,
  MailRequest,
  SignInChoice,
  VerifiedUser,
} from "./mail-calls";
export { type Baasix, type BaasixOptions, createBaasix } from "./client";
export type { CollectionName, ItemOf, ItemsOf, NameFor, SystemCollections } from "./collections";
export type { BroadcastChannelHandle, BroadcastMessage, ChannelState } from "./broadcast";
export { BaasixError, type ClientErrorCode } from "./error";
export type { FileChanges, Files, NativeFile, UploadOptions } from "./files";
export type {
  CallOptions,
  Fetch,
  Http,
  HttpRequest,
  OneWriteOptions,
  OnProgress,
  Tagged,
  WriteOptions,
} from "./http";
export type { ImportFile, ImportFileOptions, ImportOptions } from "./imports";
export type { DeleteManyOptions, DeleteOptions, Items, OneOptions } from "./items";
export { type Notifications, ownNotifications } from "./notifications";
export type { OAuthRequest, ProviderIdToken } from "./oauth";
export type { CrudGrants, ExplainRequest, Grant, PermissionInput, Permissions } from "./permissions";
export type { FactorCode, FactorId, Mfa, SecondStepProof } from "./mfa";
export type { AnyQuery, ExportFormat, OperandAt, OperatorSteps, QueryBuilder, SearchOptions } from "./query";
export type {
  LiveAggregate,
  LiveAnswers,
  LiveOptions,
  LiveQuery,
  LiveState,
  LoopOptions,
  StopLive,
} from "./live-queries";
export type { Channel, ChannelEvent } from "./channel";
export type { ConnectionState, Realtime } from "./realtime";
export type {
  ChangePayload,
  StopSubscription,
  SubscribeOptions,
  SubscriptionState,
  SubscriptionWish,
} from "./subscriptions";
export type { PresenceCallbacks, PresenceChannel } from "./presence";
export type { Reports } from "./reports";
export type {
  SchemaChangeOptions,
  SchemaImportOptions,
  SchemaQuery,
  Schemas,
  SchemaSource,
  SchemaUpdateOptions,
} from "./schemas";
export type {
  RoomCreatorChanged,
  RoomKicked,
  RoomMessageData,
  RoomRejoined,
  RoomUserJoined,
  RoomUserLeft,
} from "./rooms";
export type { Server, ServerInfo } from "./server";
export type { AuthEvent, AuthListener, AuthState, SessionSeed, Tokens } from "./session";
export type { SentInvites } from "./sent-invites";
export type { OwnSessions, UserSessions } from "./sessions";
export type { SocketLike } from "./socket";
export {
  AsyncStorageAdapter,
  type AsyncStorageLike,
  LocalStorageAdapter,
  MemoryStorageAdapter,
  type StorageAdapter,
} from "./storage";
export type { SessionUser } from "./storage/kept";
export type { Notification, TogetherCalls } from "./together";
export type { ExecutionUpdate, TopicEvent } from "./topics";
export type { ApiTokens } from "./tokens";
export type {
  Operation,
  ResultsOf,
  Transaction,
  TransactionItems,
  TransactionItemsOf,
  TransactionOf,
  TransactionResults,
} from "./transactions";
