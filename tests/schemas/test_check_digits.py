"""Check digits: known numbers pass, every single wrong digit fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.check_digits import iban_is_valid, iban_with_check_digits, tax_id_check_digit, tax_id_is_valid

#: Examples that the standards' own documentation gives.
IBANS = ["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"]
#: Test numbers from published descriptions of the check, of the rules before and after 2016; nobody's own.
TAX_IDS = ["86095742719", "47036892816", "65929970489", "57549285017", "25768131411"]


@pytest.mark.parametrize("iban", IBANS)
def test_known_ibans_are_valid(iban: str) -> None:
    """Published example IBANs have valid check digits."""
    assert iban_is_valid(iban)


@pytest.mark.parametrize(
    "iban", ["DE89 3704 0044 0532 0130 00", "de89370400440532013000", "", "DE", "ÄÖ89370400440532"]
)
def test_other_spellings_are_no_ibans(iban: str) -> None:
    """Blanks, lower case, other letters and nothing at all are refused without an error."""
    assert not iban_is_valid(iban)


@given(st.text("0123456789", min_size=18, max_size=18), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_of_an_iban_is_found(account: str, position: int, shift: int) -> None:
    """MOD 97-10 finds every wrong digit of the account part."""
    wrong = account[:position] + str((int(account[position]) + shift) % 10) + account[position + 1 :]
    valid = iban_with_check_digits("DE", account)
    assert iban_is_valid(valid)
    assert not iban_is_valid(valid[:4] + wrong)


@pytest.mark.parametrize("number", TAX_IDS)
def test_known_tax_ids_are_valid(number: str) -> None:
    """Published test numbers are valid."""
    assert tax_id_is_valid(number)


@pytest.mark.parametrize(
    "first_ten",
    ["1234567890", "1112345678", "1122345678", "1111234567", "0123456788"],
    ids=["no digit twice", "three in a row", "two digits twice", "four times", "leading zero"],
)
def test_the_rule_of_repetition_is_kept(first_ten: str) -> None:
    """A right check digit does not save ten digits that break the rule of repetition."""
    assert not tax_id_is_valid(f"{first_ten}{tax_id_check_digit(first_ten)}")


@pytest.mark.parametrize("number", ["", "8609574271", "860957427199", "8609574271a", "８6095742719"])
def test_other_texts_are_no_tax_ids(number: str) -> None:
    """Too short, too long, letters and digits of other scripts are refused without an error."""
    assert not tax_id_is_valid(number)


@given(st.sampled_from(TAX_IDS), st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_of_a_tax_id_is_found(number: str, position: int, shift: int) -> None:
    """MOD 11,10 finds every single wrong digit."""
    wrong = number[:position] + str((int(number[position]) + shift) % 10) + number[position + 1 :]
    assert not tax_id_is_valid(wrong)
