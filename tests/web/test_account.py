"""Each page's happy path and its errors."""
import re

import pytest
from playwright.sync_api import expect

from service import PASSWORD, unique_name

OTHER = "another horse another staple"


# ---- register

def test_a_stranger_registers_and_is_in(visit):
    name = unique_name()
    stranger = visit().open("/register").heading("Register")
    stranger.fill(username=name, email=f"{name}@example.org", password=PASSWORD).press("Make an account")
    stranger.is_in().at("/profile").sees(f"{name}@example.org")


def test_a_username_that_is_taken_is_told_at_the_field(visit, name):
    stranger = visit().open("/register").fill(username=name, password=PASSWORD).press("Make an account")
    stranger.says_at("username", "This username is taken.")


@pytest.mark.parametrize("values, field, words", [
    ({"username": "a b", "password": PASSWORD}, "username", "Username "),
    ({"email": "nobody", "password": PASSWORD}, "email", "must be one address"),
    ({"username": "somebody", "password": "short"}, "password", "has too few characters"),
    ({"username": "somebody"}, "password", "Enter your password."),
    ({"password": PASSWORD}, "username", "Enter a username or an e-mail address."),
])
def test_what_cannot_be_registered_is_told_at_the_field(visit, values, field, words):
    visit().open("/register").fill(**values).press("Make an account").says_at(field, words)


# ---- log in, log out

def test_a_login_leads_to_the_page_that_was_asked_for(visit, name):
    visit().open("/sessions").at("/login").log_in(name).heading("Sessions").at("/sessions")


def test_a_login_works_from_the_keyboard_alone(visit, name):
    page = visit().open().heading("Log in").page
    page.get_by_role("textbox", name="Username or e-mail").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Profile")).to_be_focused()


def test_a_wrong_password_tells_not_which_of_the_two_is_wrong(visit, name):
    visit().open().log_in(name, OTHER).alert("That name and password do not belong together.")
    visit().open().log_in(unique_name(), OTHER).alert("That name and password do not belong together.")


def test_empty_fields_are_told_without_a_request(visit):
    stranger = visit().open().heading("Log in").press("Log in")
    stranger.says_at("identifier", "Enter your username or e-mail.")
    assert not any(url.endswith("/login") and "/app/" not in url for url in stranger.requests)


def test_password_managers_find_what_they_look_for(visit, name):
    def kinds(one):
        return [e.get_attribute("autocomplete") for e in one.page.locator("input").all()]
    one = visit().open().heading("Log in")
    assert kinds(one) == ["username", "current-password"]
    one.open("/register").heading("Register")
    assert kinds(one) == ["username", "email", "new-password"]
    one.open("/password").log_in(name).heading("Password")
    assert kinds(one) == ["username", "current-password", "new-password"]
    expect(one.page.locator("input").first).to_have_value(name)


def test_a_password_can_be_shown(visit):
    one = visit().open().fill(password=PASSWORD)
    expect(one.field("Password")).to_have_attribute("type", "password")
    one.press("Show password")
    expect(one.field("Password")).to_have_attribute("type", "text")


def fail_often(service, name, clock):
    """The wait doubles each time: then it is long enough to look at."""
    with service.client() as client:
        for turn in range(10):
            clock.move(1000 * turn)
            assert client.post("/login", json={"username": name, "password": OTHER}).status_code == 401


def test_too_many_attempts_are_counted_down_and_then_allowed(visit, start, clock):
    service = start(LOGIN_ATTEMPTS=1, **clock.settings)
    name = service.register()["username"]
    one = visit(at=service)
    one.page.clock.install()
    one.open().heading("Log in")
    fail_often(service, name, clock)
    one.log_in(name, OTHER).alert("There were too many attempts on this account. You can try again in")
    expect(one.button("Log in")).to_have_attribute("aria-disabled", "true")
    expect(one.button("Log in")).to_contain_text(re.compile("in [0-9]+(:[0-9]+ min| s)"))
    one.axe()
    one.page.clock.run_for(900_000)
    one.alert("You can try again now.")
    expect(one.button("Log in")).to_have_attribute("aria-disabled", "false")


def test_a_reload_stays_in(member):
    member.page.reload()
    member.is_in().sees(member.name)


def test_a_logout_ends_the_session_and_says_so(member):
    member.press("Log out").at("/login").sees("You are logged out.")
    member.open("/profile").at("/login")


# ---- profile

def test_the_profile_shows_what_is_known(member):
    member.sees(member.name).sees("none")
    assert member.page.title() == "Profile · Doorward"


# ---- change password

def test_a_new_password_is_the_one_from_then_on(member, visit):
    member.page.get_by_role("link", name="Password").click()
    member.heading("Password").fill(current_password=PASSWORD, new_password=OTHER).press("Change password")
    member.sees("Your password is changed. All other sessions have ended.")
    expect(member.field("Current password")).to_have_value("")
    visit().open().log_in(member.name, OTHER).is_in()


@pytest.mark.parametrize("current, new, field, words", [
    (OTHER, OTHER, "current_password", "This is not your password."),
    (PASSWORD, "short", "new_password", "has too few characters"),
    ("", OTHER, "current_password", "Enter your current password."),
])
def test_a_password_change_tells_errors_at_the_field(member, current, new, field, words):
    member.open("/password").heading("Password").fill(current_password=current, new_password=new)
    member.press("Change password").says_at(field, words)


# ---- delete account

def test_an_account_is_deleted_for_good(member):
    member.page.get_by_role("link", name="Delete account").click()
    member.heading("Delete account").fill(password=PASSWORD).press("Delete my account")
    member.at("/login").sees("Your account and its sessions are gone.")
    member.log_in(member.name).alert("do not belong together")


def test_an_account_is_not_deleted_with_a_wrong_password(member):
    member.open("/delete").heading("Delete account").fill(password=OTHER).press("Delete my account")
    member.says_at("password", "This is not your password.")
    member.open("/profile").is_in()


# ---- the rest

def test_an_address_without_a_page_says_so(visit):
    visit().open("/nowhere").heading("Nothing here").page.get_by_role("link", name="To the start").click()


def test_the_first_tab_stop_skips_to_the_content(visit):
    page = visit().open().heading("Log in").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
