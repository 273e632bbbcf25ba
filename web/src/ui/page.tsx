import { useEffect, useRef, type ReactNode } from "react";

/* The first page of a visit is read from its top; later ones begin at their heading, where the focus goes. */
let visited = false;

interface PageProps {
    title: string;
    lead?: ReactNode;
    children: ReactNode;
}

export function Page({ title, lead, children }: PageProps) {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = `${title} · Doorward`;
        if (visited) {
            heading.current?.focus();
        }
        visited = true;
    }, [title]);
    return (
        <>
            <h1 ref={heading} tabIndex={-1}>{title}</h1>
            {lead && <p className="lead">{lead}</p>}
            {children}
        </>
    );
}
