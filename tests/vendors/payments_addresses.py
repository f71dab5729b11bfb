"""TRON addresses against Base58Check that is not ours (PyPI base58): the sandbox's, and what the product believes."""

import os

import base58

from harness import Checks, Product, call, equal

SANDBOX = os.environ["SANDBOX"]
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
check = Checks("payments addresses, base58")


def is_address(text):
    """Version 0x41, 20 bytes, and the first four bytes of a double SHA-256 (developers.tron.network)."""
    try:
        raw = base58.b58decode_check(text)
    except ValueError:
        return False
    return len(text) == 34 and len(raw) == 21 and raw[0] == 0x41


def usdt_order(product, person="ann"):
    wish = {"method": "tron_usdt", "credits": {"amount": 500, "unit": "USD cent"}}
    status, order = call("POST", f"{product}/v1/top-ups", wish, token(product, person))
    equal(status, 201, f"the order {order}")
    return order


def token(product, person):
    return {"authorization": f"Bearer {call('GET', f'{product}/sandbox/clerk/token?person={person}')[1]}"}


@check("wallet and contract of an order are addresses, and the contract is USDT's")
def _():
    pay = usdt_order(SANDBOX)["pay"]
    assert is_address(pay["address"]) and is_address(pay["contract"]), pay
    equal(pay["contract"], USDT, "the contract")
    equal(base58.b58decode_check(USDT).hex(), "41a614f803b6fd780986a42c78ec9c7f77e6ded13c", "its bytes")


@check("every address the sandbox's indexers show is one")
def _():
    wallet = usdt_order(SANDBOX, "bob")["pay"]["address"]
    for wish in [{"amount": "5.123"}, {"amount": "5", "contract": "fake"}, {"dust": 60}]:
        equal(call("POST", f"{SANDBOX}/sandbox/tronscan/transfers", {**wish, "confirmed": True})[0], 201, "the status")
    _, scan = call("GET", f"{SANDBOX}/sandbox/tronscan/api/token_trc20/transfers?limit=50&toAddress={wallet}")
    _, grid = call("GET", f"{SANDBOX}/sandbox/trongrid/v1/accounts/{wallet}/transactions/trc20?limit=100")
    rows, events = scan["token_transfers"], grid["data"]
    assert len(rows) == 50 and len(events) >= 60, (len(rows), len(events))
    seen = {row[name] for row in rows for name in ("from_address", "to_address", "contract_address")}
    seen |= {event[name] for event in events for name in ("from", "to")}
    seen |= {event["token_info"]["address"] for event in events} | {row["tokenInfo"]["tokenId"] for row in rows}
    equal([address for address in seen if not is_address(address)], [], "what is no address")
    assert USDT in seen and wallet in seen and len(seen) > 40, len(seen)


@check("the product takes wallets that base58 makes")
def _():
    for body in [bytes(20), bytes([0xFF] * 20), bytes(range(20))]:
        wallet = base58.b58encode_check(b"\x41" + body).decode()
        with Product(TRON_WALLET=wallet, TRONSCAN_URL="http://127.0.0.1:1", TRONGRID_URL="http://127.0.0.1:1") as product:
            equal(usdt_order(product.url)["pay"]["address"], wallet, "the wallet")


@check("the product does not start with a wallet that base58 refuses")
def _():
    wallet = usdt_order(SANDBOX, "carla")["pay"]["address"]
    broken = [wallet[:-1] + ("3" if wallet[-1] != "3" else "4"), wallet[:5] + wallet[6] + wallet[5] + wallet[7:],
              base58.b58encode_check(b"\x42" + bytes(20)).decode(), base58.b58encode_check(b"\x41" + bytes(19)).decode()]
    for text in broken:
        assert not is_address(text), text
        try:
            with Product(TRON_WALLET=text, TRONSCAN_URL="http://127.0.0.1:1", TRONGRID_URL="http://127.0.0.1:1"):
                started = True
        except RuntimeError:
            started = False
        equal(started, False, f"a start with {text}")


check.run()
