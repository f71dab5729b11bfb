"""The sandbox's list of bank transfers, read by a published client of SePay's API (PyPI sepay)."""

import os

from sepay import SePay
from sepay.base import BaseRequest

from harness import Checks, call, equal, raises

SANDBOX = os.environ["SANDBOX"]
BaseRequest.BASE_URL = f"{SANDBOX}/sandbox/bank/userapi/"
TOKEN, ACCOUNT = "sandbox-sepay-bank-api-token", "12345678"
check = Checks("payments bank list, sepay")
list_of = SePay(TOKEN).transaction


def transfer(**wish):
    """A transfer nobody is told of by webhook; answers what the webhook would have said."""
    status, told = call("POST", f"{SANDBOX}/sandbox/bank/transfers", {"lose_webhook": True, **wish})
    equal(status, 201, f"the transfer {told}")
    return told


@check("a transfer in is listed with the webhook's id, amount, memo and code")
def _():
    told = transfer(amount=131350, memo="Nạp tiền CITAB2CDE")
    row, = list_of.get_transactions({"since_id": str(told["id"]), "account_number": ACCOUNT})
    equal((row.id, row.account_number, row.reference_number),
          (str(told["id"]), told["accountNumber"], told["referenceCode"]), "the row's names")
    equal((row.amount_in, row.amount_out), ("131350.00", "0.00"), "the amounts")
    equal((row.transaction_content, row.code), (told["content"], "CITAB2CDE"), "the texts")
    equal(row.transaction_date, told["transactionDate"], "the date")
    equal(list_of.get_transaction(row.id), row, "the details")


@check("a transfer out, and one without a code, are listed as such")
def _():
    transfer(amount=900000, memo="CITAB2CDE")
    first = transfer(amount=50000, memo="rent", direction="out")
    transfer(amount=70000, memo="no code here")
    plain, out = list_of.get_transactions({"since_id": str(first["id"])})
    equal((out.amount_in, out.amount_out), ("0.00", "50000.00"), "the amounts of the transfer out")
    equal((plain.code, plain.amount_in), (None, "70000.00"), "the transfer without a code")


@check("filters and the count agree")
def _():
    first = transfer(amount=11111, memo="one")
    transfer(amount=22222, memo="two")
    since = {"since_id": str(first["id"])}
    equal(len(list_of.get_transactions(since)), 2, "the rows")
    equal(list_of.get_count(since), "2", "the count")
    equal([row.transaction_content for row in list_of.get_transactions({**since, "amount_in": "22222"})], ["two"],
          "the rows of one amount")
    equal([row.transaction_content for row in list_of.get_transactions({**since, "limit": "1"})], ["two"], "the limit")
    equal(list_of.get_transactions({**since, "account_number": "999"}), [], "another account's rows")


@check("another token, and an unknown transfer, are refused")
def _():
    stranger = SePay("sandbox-other-token").transaction
    equal(raises(BaseRequest.RequestException, stranger.get_transactions).status_code, 401, "the status")
    missing = raises(BaseRequest.RequestException, lambda: list_of.get_transaction("1"))
    equal(missing.status_code, 404, "the status")


check.run()
