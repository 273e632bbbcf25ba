"""The live documentation: Swagger UI, from the service that it describes."""
import re

from playwright.sync_api import expect

from service import PASSWORD


def operation(visitor, name):
    """The part of the page about one operation, unfolded."""
    block = visitor.page.locator(f"#operations-{name}")
    block.locator(".opblock-summary-control").first.click()
    return block


def execute(block, body=None):
    if body is not None:
        block.locator("textarea.body-param__text").fill(body)
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table .response").first


def test_a_login_is_tried_out_and_its_token_shows_the_profile(visit, service, name):
    visitor = visit()
    visitor.page.goto(service.url + "/docs")
    answer = execute(operation(visitor, "session-login"), f'{{"username": "{name}", "password": "{PASSWORD}"}}')
    expect(answer.locator(".response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text('"access_token"')
    token = re.search(r'"access_token":\s*"([^"]+)"', answer.inner_text())[1]

    visitor.page.get_by_role("button", name="Authorize").first.click()
    dialog = visitor.page.locator(".modal-ux")
    dialog.locator("input").first.fill(token)
    dialog.get_by_role("button", name="Apply credentials").first.click()
    dialog.get_by_role("button", name="Close").last.click()
    profile = execute(operation(visitor, "account-profile"))
    expect(profile.locator(".response-col_status")).to_contain_text("200")
    expect(profile).to_contain_text(name)
