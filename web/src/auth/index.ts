export { Auth, type AuthOptions, type Registration, type State } from "./client";
export { Connection, type Trouble, type TroubleKind } from "./connection";
export type { Keep } from "./keep";
export { ApiError, toApiError, type FieldError } from "./problem";
export { useSubject } from "./react";
export type { Session, User, Why } from "./types";
