from __future__ import annotations

import pytest

from paper_exchange.kraken.signature import new_key_pair, sign, signature_is_valid

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
NONCE = "1616492376594"
VECTORS = [
    (
        "/0/private/AddOrder",
        f"nonce={NONCE}&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
    ),
    (
        "/0/private/Balance",
        f"nonce={NONCE}",
        "1nH4vwR+8FHiYh1QT649xXkGd3JR3x0DWkgv3u9Ed/Qqv6KPtgQpEU4m+Emb/VgpEji3j1XNwI+HCbfXxmrTOg==",
    ),
    (
        "/0/private/CancelOrderBatch",
        '{"nonce":"1616492376594","orders":["OTXID1-AAAAA-BBBBBB"]}',
        "mViP0Vvw+sGMdi1DoMdnT4dMEt9TJesTv0ijPmDal099RC7TpKPWSJpHjTeapmx14ARMC/FuMQjtYKal/PW9EA==",
    ),
]


@pytest.mark.parametrize(("path", "body", "signature"), VECTORS)
def test_known_requests_have_the_known_signatures(path: str, body: str, signature: str) -> None:
    assert sign(SECRET, path, NONCE, body.encode()) == signature
    assert signature_is_valid(SECRET, path, NONCE, body.encode(), signature)


def test_a_signature_holds_for_exactly_these_bytes() -> None:
    path, body, signature = VECTORS[0]
    assert not signature_is_valid(SECRET, path, NONCE, body.encode() + b"&", signature)
    assert not signature_is_valid(SECRET, "/0/private/Balance", NONCE, body.encode(), signature)
    assert not signature_is_valid(SECRET, path, "1616492376595", body.encode(), signature)


@pytest.mark.parametrize("signature", ["", "not base64!", "Zm9v", "é"])
def test_what_is_no_signature_is_not_valid(signature: str) -> None:
    assert not signature_is_valid(SECRET, "/0/private/Balance", NONCE, b"nonce=1", signature)


def test_new_keys_have_the_lengths_of_real_ones() -> None:
    keys = new_key_pair()
    assert (len(keys.api_key), len(keys.api_secret)) == (56, 88)
    assert new_key_pair() != keys
