"""What Schemathesis can't know by itself: which refusals of a fitting request are about more than its form."""

import json

import schemathesis

# Codes of problems that say "your request is not as the document describes it".
ABOUT_FORM = {"invalid_request", "invalid_input", "unsupported_media_type", "not_acceptable", "body_too_large"}

# Values that fit but name nothing, by their place; and pairs that must not come together.
ABOUT_MORE = {"/account_id", "/display_currency", "/input/model", "/top_up_id", "?currency"}


@schemathesis.check
def a_fitting_request_is_understood(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    problem = json.loads(response.text)
    if problem["code"] not in ABOUT_FORM:
        return
    if all(error["pointer"] in ABOUT_MORE for error in problem.get("errors", [])) and problem.get("errors"):
        return
    has_two_names = isinstance(case.body, dict) and case.body.get("run_id") and "not both" in problem["detail"]
    assert has_two_names, f"a request that fits the document is refused as {problem['code']}: {response.text}"


@schemathesis.check
def a_refusal_says_what_it_took(ctx, response, case):
    if response.status_code < 400:
        return
    problem = json.loads(response.text)
    assert response.headers["content-type"] == ["application/problem+json"], response.headers["content-type"]
    assert problem["status"] == response.status_code
    assert problem["credit"] in {"not_taken", "held", "taken", "unchanged", "unknown"}
    assert problem["request_id"] and problem["detail"] and problem["title"]
