import { Navigate, Outlet, Route, Routes, useLocation } from "react-router-dom";

import { useSubject } from "./auth";
import { DeleteAccount } from "./pages/delete-account";
import { Login } from "./pages/login";
import { NotFound } from "./pages/not-found";
import { Password } from "./pages/password";
import { Profile } from "./pages/profile";
import { Register } from "./pages/register";
import { Sessions } from "./pages/sessions";
import { auth } from "./session";
import { Inside, Outside, Waiting } from "./ui/layout";
import { cameFrom } from "./ui/links";

export function App() {
    return (
        <Routes>
            <Route element={<ForStrangers />}>
                <Route path="/login" element={<Login />} />
                <Route path="/register" element={<Register />} />
            </Route>
            <Route element={<ForUsers />}>
                <Route path="/profile" element={<Profile />} />
                <Route path="/sessions" element={<Sessions />} />
                <Route path="/password" element={<Password />} />
                <Route path="/delete" element={<DeleteAccount />} />
            </Route>
            <Route path="/" element={<Navigate to="/profile" replace />} />
            <Route path="*" element={<Outside><NotFound /></Outside>} />
        </Routes>
    );
}

/** Who is logged in has nothing to do here. */
function ForStrangers() {
    const state = useSubject(auth);
    const location = useLocation();
    if (state.status === "unknown") {
        return <Waiting />;
    }
    if (state.status === "in") {
        return <Navigate to={cameFrom(location) ?? "/profile"} replace />;
    }
    return <Outside><Outlet /></Outside>;
}

/** Who is not logged in does so first, and comes back here unless leaving was the wish. */
function ForUsers() {
    const state = useSubject(auth);
    const location = useLocation();
    if (state.status === "unknown") {
        return <Waiting />;
    }
    if (state.status === "out") {
        const returns = state.why === "none" || state.why === "ended";
        return <Navigate to="/login" replace state={returns ? { from: location.pathname } : null} />;
    }
    /* Another account is another page: nothing of the former one stays on it. */
    return <Inside key={state.account}><Outlet /></Inside>;
}
