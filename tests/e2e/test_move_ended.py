"""What ended stays ended: no order of exports, imports and logouts brings a session back, in either store."""
import datetime

import pytest

from move import export, file_of, lines_of, load, status_of_login, statuses
from service import PASSWORD, bearer, claims_of

HOUR_AGO = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def records(text, *kinds):
    return [line for line in lines_of(text)[1:-1] if line["type"] in kinds]


def torn(before, after):
    """An export during which that happened which lies between these two: it writes the revocations last."""
    return file_of(*records(before, "key", "user", "session"), *records(after, "revocation"))


def expired(text):
    """The same, imported when the access tokens that its revocations are for have expired."""
    return file_of(*({**line, "expires_at": HOUR_AGO} if line["type"] == "revocation" else line for line in lines_of(text)[1:-1]))


def post(service, path, tokens=None, **body):
    with service.client() as client:
        return client.post(path, headers=bearer(tokens) if tokens else None, json=body or None).status_code


def status_of_refresh(service, tokens):
    return post(service, "/refresh-token", refresh_token=tokens["refresh_token"])


def change_password(service, tokens, old=PASSWORD, new="another horse"):
    assert post(service, "/password", tokens, current_password=old, new_password=new) == 204


def log_out_of_all_thrice(service, name):
    for _ in range(3):
        assert post(service, "/logout?scope=all", service.login(name)) == 204


def delete_account(service, tokens):
    with service.client() as client:
        assert client.request("DELETE", "/profile", headers=bearer(tokens), json={"password": PASSWORD}).status_code == 204


ENDINGS = {
    "logout": lambda old, name, tokens: post(old, "/logout", tokens),
    "logout of all": lambda old, name, tokens: log_out_of_all_thrice(old, name),
    "logout of others": lambda old, name, tokens: post(old, "/logout?scope=others", old.login(name)),
    "password": lambda old, name, tokens: change_password(old, old.login(name)),
    "deletion": lambda old, name, tokens: delete_account(old, tokens),
    "disabling": lambda old, name, tokens: old.cli("user", "disable", name),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_session_that_ends_while_an_export_runs_is_not_brought_back(open_old, open_new, how):
    old = open_old().start()
    name, ended = old.newcomer()
    _, alive = old.newcomer()
    before = export(old, "--sessions", "--keys")
    ENDINGS[how](old, name, ended)
    text = torn(before, export(old, "--sessions", "--keys"))
    outdated = how not in ("logout", "deletion")
    new, late = open_new(), open_new()
    assert ("has changed since" in load(new, text, code=int(outdated))) == outdated
    load(late, expired(text), code=int(outdated))
    assert (status_of_login(new.start(), name) == 401) == (how == "deletion")
    assert statuses(new, ended) == (401, 401)
    assert status_of_refresh(late.start(), ended) == 401
    for moved in (new, late):
        assert statuses(moved, alive) == (200, 200)
        if how.startswith("logout"):
            assert statuses(moved, moved.login(name)) == (200, 200)


def test_the_session_that_a_password_change_kept_goes_on(open_old, open_new):
    old = open_old().start()
    name, changer = old.newcomer()
    other = old.login(name)
    before = export(old, "--sessions", "--keys")
    change_password(old, changer)
    new = open_new()
    load(new, torn(before, export(old, "--sessions", "--keys")), code=1)
    assert statuses(new.start(), changer) == (200, 200)
    assert statuses(new, other) == (401, 401)


def test_who_logs_out_before_the_session_comes_stays_out(open_old, open_new):
    old, new = open_old().start(), open_new()
    _, ended = old.newcomer()
    _, alive = old.newcomer()
    old.stop()
    text = export(old, "--sessions", "--keys")
    load(new, file_of(*records(text, "key", "user")))
    assert post(new.start(), "/logout", ended) == 204
    for _ in range(2):
        assert "there already" in load(new, text)
        assert statuses(new, ended) == (401, 401)
    assert statuses(new, alive) == (200, 200)


def test_what_ended_after_an_import_stays_so_when_it_is_repeated(open_old, open_new):
    old, new = open_old().start(), open_new()
    _, single = old.newcomer()
    name, every = old.newcomer()
    old.stop()
    text = export(old, "--sessions", "--keys")
    load(new, text)
    assert post(new.start(), "/logout", single) == 204
    assert post(new, "/logout?scope=all", every) == 204
    assert "a user with this id is there and differs" in load(new, text, code=1)
    for ended in (single, every):
        assert statuses(new, ended) == (401, 401)
    assert statuses(new, new.login(name)) == (200, 200)


def test_revocations_that_come_before_what_they_end_end_it(open_old, open_new):
    old = open_old().start()
    _, single = old.newcomer()
    _, every = old.newcomer()
    before = export(old, "--sessions")
    assert post(old, "/logout", single) == 204
    assert post(old, "/logout?scope=all", every) == 204
    new = open_new()
    load(new, expired(file_of(*records(export(old, "--sessions"), "revocation"))))
    load(new, before)
    for ended in (single, every):
        assert status_of_refresh(new if new.process else new.start(), ended) == 401


def test_a_session_of_a_later_epoch_than_its_users_is_refused(open_old, open_new):
    """Or it would live as soon as the user has ended all sessions here."""
    old, new = open_old().start(), open_new()
    name, first = old.newcomer()
    load(new, export(old, "--sessions"))
    assert post(old, "/logout?scope=all", first) == 204
    later = old.login(name)
    old.stop()
    said = load(new, file_of(*records(export(old, "--sessions"), "session")), code=1)
    assert "epoch: is of a later epoch than the user here" in said
    assert post(new.start(), "/logout?scope=all", new.login(name)) == 204
    assert status_of_refresh(new, later) == 401


def test_an_import_never_lowers_an_epoch(open_old, open_new):
    old, new = open_old().start(), open_new()
    name, first = old.newcomer()
    assert post(old, "/logout?scope=all", first) == 204
    text = export(old, "--sessions")
    load(new, text)
    log_out_of_all_thrice(new.start(), name)
    mine = new.login(name)
    load(new, text, code=1)
    assert statuses(new, mine) == (200, 200)
    assert claims_of(mine["access_token"])["epoch"] == records(export(new), "user")[0]["session_epoch"] == 4
