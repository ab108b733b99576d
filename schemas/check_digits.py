"""Check digits of the numbers that a message carries. Pure arithmetic on ASCII text, nothing is repeated in errors."""

from __future__ import annotations

_IDNR_LENGTH = 11
_IBAN_MODULUS = 97
_MOST_REPEATS = 3


def iban_is_valid(iban: str) -> bool:
    """Whether the IBAN's check digits are right (ISO 13616, ISO 7064 MOD 97-10). Expects no blanks, upper case."""
    if not (iban.isascii() and iban.isalnum() and iban.upper() == iban):
        return False
    digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
    return int(digits) % _IBAN_MODULUS == 1


def iban_with_check_digits(country: str, account: str) -> str:
    """Put the right check digits before an account part (BBAN), for made-up examples."""
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{country}{98 - int(digits) % _IBAN_MODULUS:02d}{account}"


def tax_id_check_digit(first_ten: str) -> int:
    """Eleventh digit of a Steuer-Identifikationsnummer (§ 139b AO; ISO 7064 MOD 11,10)."""
    product = 10
    for digit in first_ten:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10


def tax_id_is_valid(number: str) -> bool:
    """Whether eleven digits can be a Steuer-Identifikationsnummer: check digit and rule of repetition.

    Of the first ten digits exactly one occurs twice or three times and the others at most once; three equal digits
    never stand in a row (rule since 2016; before that, exactly one digit occurred twice).
    """
    if len(number) != _IDNR_LENGTH or not (number.isascii() and number.isdigit()) or number[0] == "0":
        return False
    first = number[:10]
    repeats = sorted(first.count(digit) for digit in set(first) if first.count(digit) > 1)
    if len(repeats) != 1 or repeats[0] > _MOST_REPEATS:
        return False
    if any(first[i] == first[i + 1] == first[i + 2] for i in range(8)):
        return False
    return tax_id_check_digit(first) == int(number[10])
