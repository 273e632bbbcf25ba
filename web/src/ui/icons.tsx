import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
    return (
        <svg
            className="icon" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor"
            strokeWidth="1.75" strokeLinecap="round" strokeLinejoin="round"
        >
            {children}
        </svg>
    );
}

export const Sun = () => (
    <Icon>
        <circle cx="12" cy="12" r="4" />
        <path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4" />
    </Icon>
);
export const Moon = () => <Icon><path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z" /></Icon>;
export const Eye = () => (
    <Icon>
        <path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z" />
        <circle cx="12" cy="12" r="3" />
    </Icon>
);
export const EyeOff = () => (
    <Icon>
        <path d="M9.5 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-2.6 3.4M6.3 7.3A16 16 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4.6-1.3M3.5 3.5l17 17M10 10a3 3 0 0 0 4.1 4.1" />
    </Icon>
);
export const Exit = () => <Icon><path d="M14 4H6.5A1.5 1.5 0 0 0 5 5.5v13A1.5 1.5 0 0 0 6.5 20H14M10.5 12H20M16.5 8.5 20 12l-3.5 3.5" /></Icon>;
export const Alert = () => <Icon><path d="M12 8.5v4.5M12 16.5v.01M10.3 4.2 2.8 17.5A2 2 0 0 0 4.5 20.5h15a2 2 0 0 0 1.7-3L13.7 4.2a2 2 0 0 0-3.4 0z" /></Icon>;
export const Check = () => <Icon><circle cx="12" cy="12" r="9" /><path d="m8 12.3 2.7 2.7L16 9.5" /></Icon>;
export const Screen = () => <Icon><rect x="3" y="4.5" width="18" height="12" rx="1.5" /><path d="M8.5 20h7M12 16.5V20" /></Icon>;
export const Phone = () => <Icon><rect x="7" y="2.5" width="10" height="19" rx="2" /><path d="M11 18.5h2" /></Icon>;
export const Terminal = () => <Icon><rect x="3" y="4" width="18" height="16" rx="1.5" /><path d="m7 9 3 3-3 3M12.5 15H17" /></Icon>;

export function Door() {
    return (
        <svg className="door" viewBox="0 0 32 32" aria-hidden="true">
            <path className="door-frame" d="M6 29V14a10 10 0 0 1 20 0v15z" />
            <path className="door-light" d="M11 29V14.5a5 5 0 0 1 10 0V29z" />
            <circle className="door-frame" cx="18.2" cy="21" r="1.2" />
        </svg>
    );
}

/** The way in, seen through one arch after the other. */
export function Arches() {
    const arch = (width: number) => {
        const left = 200 - width / 2;
        return `M${left} 490V${190 + width * 0.25}a${width / 2} ${width / 2} 0 0 1 ${width} 0V490z`;
    };
    return (
        <svg className="arches" viewBox="0 0 400 600" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
            {[760, 620, 495, 385, 290, 210].map((width) => <path key={width} d={arch(width)} />)}
            <path className="arches-floor" d="M-400 490h1200v120h-1200z" />
            <path className="arches-ray" d="M133 490h134l96 120h-326z" />
            <path className="arches-light" d={arch(134)} />
            <circle className="arches-knob" cx="251" cy="378" r="5" />
        </svg>
    );
}
