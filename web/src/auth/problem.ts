/* What a request that failed says, for code and for people. */
import { isAxiosError, type AxiosResponse } from "axios";

export interface FieldError {
    /** The member of the request; empty for the request as a whole. */
    field: string;
    code: string;
    detail: string;
}

/** Besides Doorward's own codes: */
export const UNREACHABLE = "unreachable"; /* nothing came back */
export const NOT_DOORWARD = "not_doorward"; /* something else answers at this address */
export const UNAVAILABLE = "unavailable"; /* a gateway in front has no service behind it now */

export class ApiError extends Error {
    constructor(
        readonly code: string,
        message: string,
        readonly status = 0,
        readonly fields: readonly FieldError[] = [],
        /** Seconds after which another try makes sense; null: a try would end the same way. */
        readonly retryAfter: number | null = null,
    ) {
        super(message);
        this.name = "ApiError";
    }

    /** It did not come from Doorward: `connection` tells what is wrong, and when it is over. */
    get isAway(): boolean {
        return this.code === UNREACHABLE || this.code === NOT_DOORWARD;
    }
}

const RETRY_SOON_S = 5;

function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null;
}
function isFieldError(value: unknown): value is FieldError {
    return isRecord(value) && typeof value["field"] === "string" && typeof value["detail"] === "string";
}

function retryAfterOf(response: AxiosResponse): number | null {
    const seconds = Number.parseInt(String(response.headers["retry-after"] ?? ""), 10);
    if (Number.isFinite(seconds)) {
        return Math.max(1, seconds);
    }
    return response.status === 429 || response.status >= 500 ? RETRY_SOON_S : null;
}

/** `response.data` may be anything: the address may be wrong. */
export function problemOf(response: AxiosResponse): ApiError {
    const { status, data } = response as AxiosResponse<unknown>;
    if (isRecord(data) && typeof data["code"] === "string") {
        const fields = Array.isArray(data["errors"]) ? data["errors"].filter(isFieldError) : [];
        return new ApiError(data["code"], String(data["detail"]), status, fields, retryAfterOf(response));
    }
    return status === 429 || (status >= 502 && status <= 504)
        ? new ApiError(UNAVAILABLE, `A gateway answers ${status}.`, status, [], retryAfterOf(response))
        : new ApiError(NOT_DOORWARD, "What answers at this address is not Doorward.", status);
}

/** An answer that Doorward cannot have given, say the page that a static server shows for every path. */
export function isAlien(response: AxiosResponse): boolean {
    return response.status !== 204 && !String(response.headers["content-type"]).startsWith("application/json");
}

export function toApiError(error: unknown): ApiError {
    if (error instanceof ApiError) {
        return error;
    }
    if (isAxiosError(error)) {
        return error.response ? problemOf(error.response) : new ApiError(UNREACHABLE, "The service cannot be reached.");
    }
    throw error;
}
