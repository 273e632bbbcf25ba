"""Sessions as a person sees them, and what the client does with them in one tab and in several."""
import re

from service import bearer, wait_until

EXPIRY_S = 3600


def refreshes(service):
    """What the service has seen so far. Its log comes behind its answers: until what is asked last is in it."""
    with service.client() as client:
        last = client.get("/healthz").headers["x-request-id"]
    service.wait_for_event(request_id=last)
    return sum(e.get("route") == "/refresh-token" and e["status"] == 200 for e in service.events)


def expire(service, clock):
    """The access tokens that were given out so far are too old from now on; no test races with a second."""
    clock.move(2 * EXPIRY_S)
    with service.client() as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, "readiness after the leap")


def test_sessions_are_listed_and_one_is_ended(member, service):
    with service.client(headers={"User-Agent": "backup-job/2.1"}) as client:
        other = client.post("/login", json={"username": member.name, "password": "correct horse battery"}).json()
    member.page.get_by_role("link", name="Sessions").click()
    member.heading("Sessions").sees("backup-job/2.1")
    member.page.get_by_role("button", name="End backup-job/2.1").click()
    member.sees("Ended: backup-job/2.1.").sees("You are logged in nowhere else.")
    with service.client() as client:
        assert client.get("/profile", headers=bearer(other)).status_code == 401


def test_all_other_sessions_are_ended_and_this_one_lives(member, visit):
    others = [visit().open().log_in(member.name).is_in() for _ in range(2)]
    member.open("/sessions").sees("Other sessions 2").press("End all others")
    member.sees("All other sessions have ended.").sees("You are logged in nowhere else.")
    for other in others:
        other.page.get_by_role("link", name="Sessions").click()
        other.at("/login").sees("Your session has ended. Log in to go on.")
    member.open("/profile").is_in()
    others[0].log_in(member.name).heading("Sessions")


def test_a_token_that_expires_while_ten_requests_are_in_flight_costs_one_refresh(start, visit, clock):
    service = start(JWT_EXPIRY=EXPIRY_S, **clock.settings)
    name = service.register()["username"]
    for _ in range(10):
        service.login(name)
    one = visit(at=service)
    held = []
    one.open("/sessions").log_in(name).sees("Other sessions 10")
    one.page.route(service.url + "/sessions/*", lambda route: held.append(route) if len(held) < 10 else route.continue_())
    for button in one.page.get_by_role("button", name=re.compile("^End python")).all():
        button.click()
    wait_until(lambda: one.page.evaluate("1") and len(held) == 10, "ten requests in flight")
    expire(service, clock)
    before = refreshes(service)
    for route in held:
        route.continue_()
    one.sees("You are logged in nowhere else.")
    assert refreshes(service) == before + 1
    statuses = [e["status"] for e in service.events if e.get("method") == "DELETE" and e["route"].startswith("/sessions/")]
    assert sorted(statuses[-20:]) == [204] * 10 + [401] * 10


def test_two_tabs_that_refresh_at_once_both_stay_in(start, visit, clock):
    service = start(JWT_EXPIRY=EXPIRY_S, **clock.settings)
    name = service.register()["username"]
    one = visit(at=service)
    one.open().log_in(name).is_in().sees(name)
    two = visit(tab_of=one)
    two.open().is_in().sees(name)
    expire(service, clock)
    before = refreshes(service)
    for tab in (one, two):
        tab.page.evaluate("document.querySelector('nav a[href$=sessions]').click()")
    for tab in (one, two):
        tab.heading("Sessions").sees("This session").sees("Chrome on Linux")
    # The second may miss what the first tells by a hair; it then refreshes with the new cookie, which is as well.
    assert 1 <= refreshes(service) - before <= 2
    for tab in (one, two):
        tab.page.reload()
        tab.heading("Sessions").sees("Chrome on Linux")


def test_a_logout_in_one_tab_logs_out_the_other(member, visit):
    other = visit(tab_of=member).open("/sessions").heading("Sessions")
    member.press("Log out").at("/login").sees("You are logged out.")
    other.at("/login").sees("You logged out in another tab.")


def test_a_login_in_one_tab_logs_in_the_other(visit, name):
    one = visit().open().heading("Log in")
    two = visit(tab_of=one).open("/sessions").heading("Log in")
    one.log_in(name).is_in()
    two.heading("Sessions")


def test_a_session_that_was_ended_elsewhere_leads_to_the_login_and_back(member, service):
    session = service.login(member.name)
    with service.client() as client:
        client.post("/logout?scope=all", headers=bearer(session))
    member.page.get_by_role("link", name="Sessions").click()
    member.at("/login").sees("Your session has ended. Log in to go on.")
    member.log_in(member.name).heading("Sessions")


def test_the_refresh_token_is_out_of_reach_of_scripts(member):
    cookies = {cookie["name"]: cookie for cookie in member.page.context.cookies()}
    assert cookies["__Host-refresh"]["httpOnly"] and cookies["__Host-refresh"]["sameSite"] == "Strict"
    assert member.page.evaluate("[...Object.values(localStorage), ...Object.values(sessionStorage)]") == []
    assert member.page.evaluate("document.cookie") == ""
