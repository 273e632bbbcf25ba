/* A form whose errors stand at their fields, and which waits when the service asks for it. */
import { createContext, useContext, useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from "react";

import { ApiError, toApiError, useSubject, type FieldError } from "../auth";
import { auth } from "../session";
import { Countdown, useSecondsUntil } from "./countdown";
import { Eye, EyeOff } from "./icons";
import { Notice } from "./notice";
import { sayError, sayField, sayWait } from "./words";

type Values = Record<string, string>;

interface Failure {
    error: ApiError;
    /** By name; what is at no field of the form is not here. */
    fields: Record<string, FieldError>;
    until: number;
}

const Errors = createContext<Record<string, FieldError>>({});

interface FormProps {
    label: string;
    submit: string;
    danger?: boolean;
    /** Fails with ApiError. */
    action: (values: Values) => Promise<void>;
    /** Fields of errors that are about one without naming it, by code. */
    at?: Record<string, string>;
    children: ReactNode;
}

function inputsOf(form: HTMLFormElement): HTMLInputElement[] {
    return [...form.elements].filter((element): element is HTMLInputElement => element instanceof HTMLInputElement && element.name !== "");
}

/** Told here, since there is no need to ask the service; everything else is its decision. */
function missing(form: HTMLFormElement): FieldError[] {
    return inputsOf(form)
        .filter((input) => input.required && input.value === "")
        .map((input) => ({ field: input.name, code: "required", detail: "is required" }));
}

function failureOf(error: ApiError, form: HTMLFormElement, at: Record<string, string>): Failure {
    const names = new Set(inputsOf(form).map((input) => input.name));
    const place = at[error.code];
    const errors = place === undefined ? error.fields : [{ field: place, code: error.code, detail: sayError(error) }];
    return {
        error,
        fields: Object.fromEntries(errors.filter(({ field }) => names.has(field)).map((e) => [e.field, e])),
        until: error.retryAfter === null ? 0 : Date.now() + error.retryAfter * 1000,
    };
}

export function Form({ label, submit, danger = false, action, at = {}, children }: FormProps) {
    const form = useRef<HTMLFormElement>(null);
    const [busy, setBusy] = useState(false);
    const [failure, setFailure] = useState<Failure | null>(null);
    const wait = useSecondsUntil(failure?.until ?? 0);

    useEffect(() => {
        form.current?.querySelector<HTMLInputElement>("[aria-invalid=true]")?.focus();
    }, [failure]);

    const fail = (error: ApiError): void => {
        if (form.current) {
            setFailure(failureOf(error, form.current, at));
        }
    };

    const run = async (target: HTMLFormElement): Promise<void> => {
        const gaps = missing(target);
        if (gaps.length > 0) {
            fail(new ApiError("invalid_input", "", 422, gaps));
            return;
        }
        setBusy(true);
        setFailure(null);
        try {
            await action(Object.fromEntries(inputsOf(target).map((input) => [input.name, input.value])));
        } catch (error) {
            fail(toApiError(error));
        } finally {
            setBusy(false);
        }
    };

    const onSubmit = (event: FormEvent<HTMLFormElement>): void => {
        event.preventDefault();
        if (!busy && wait === 0) {
            void run(event.currentTarget);
        }
    };

    /* The button keeps the focus while it must not be used. */
    const idle = !busy && wait === 0;
    return (
        <form ref={form} className="form" aria-label={label} noValidate onSubmit={onSubmit}>
            <Errors value={failure?.fields ?? {}}>{children}</Errors>
            <FormNotice failure={failure} wait={wait} />
            <button type="submit" className={danger ? "button danger" : "button"} aria-disabled={!idle}>
                {busy && <span className="spinner" />}
                {submit}
                {wait > 0 && <span className="countdown" aria-hidden="true">in {sayWait(wait)}</span>}
            </button>
        </form>
    );
}

function FormNotice({ failure, wait }: { failure: Failure | null; wait: number }) {
    const away = useSubject(auth.connection) !== null;
    const shown = failure !== null && Object.keys(failure.fields).length === 0;
    const isBack = shown && failure.error.isAway && !away;
    return (
        <div role="alert">
            {isBack && <Notice kind="good">The service is back. You can try again now.</Notice>}
            {shown && !isBack && (
                <Notice kind={failure.until > 0 ? "wait" : "error"}>
                    {[sayError(failure.error), ...failure.error.fields.map((e) => sayField(e, e.field || "The request"))].join(" ")}{" "}
                    {wait > 0 && <Countdown key={failure.until} before="You can try again in" seconds={wait} />}
                    {failure.until > 0 && wait === 0 && "You can try again now."}
                </Notice>
            )}
        </div>
    );
}

interface FieldProps {
    name: string;
    label: string;
    autoComplete: string;
    type?: "text" | "email" | "password";
    hint?: string;
    required?: boolean;
    defaultValue?: string;
}

export function Field({ name, label, autoComplete, type = "text", hint, required = false, defaultValue }: FieldProps) {
    const id = useId();
    const error = useContext(Errors)[name];
    const [visible, setVisible] = useState(false);
    const about = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
    return (
        <div className="field">
            <label htmlFor={id}>
                {label} {!required && <span className="optional">optional</span>}
            </label>
            <div className="input">
                <input
                    id={id} name={name} type={visible ? "text" : type} autoComplete={autoComplete} required={required}
                    defaultValue={defaultValue} aria-invalid={error !== undefined} aria-describedby={about || undefined}
                    autoCapitalize="none" spellCheck={false}
                />
                {type === "password" && (
                    <button
                        type="button" className="reveal" aria-pressed={visible} aria-label={`Show ${label.toLowerCase()}`}
                        onClick={() => setVisible(!visible)}
                    >
                        {visible ? <EyeOff /> : <Eye />}
                    </button>
                )}
            </div>
            {hint && <p className="hint" id={`${id}-hint`}>{hint}</p>}
            {error && (
                <p className="field-error" id={`${id}-error`}>
                    {sayField(error, label)}
                </p>
            )}
        </div>
    );
}

/** Whose password it is, for password managers; people know it. */
export function AccountName({ name }: { name: string }) {
    return <input className="unseen" type="text" autoComplete="username" value={name} readOnly tabIndex={-1} aria-hidden="true" />;
}
