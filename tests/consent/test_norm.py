"""Norms in both notations, and spans of days."""

from __future__ import annotations

from datetime import date

import pytest

from consent.norm import Norm, UnparsableNorm, cited, paragraphs, same_paragraph
from consent.validity import Validity


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("§ 69(1) Nr. 1 A3 SGB X", "SGB X § 69 Abs. 1 Nr. 1 Alt. 3"),
        ("§ 67a(2) S. 2 Nr. 1 b SGB X", "SGB X § 67a Abs. 2 Satz 2 Nr. 1 Buchst. b"),
        ("§ 76(2) Nr. 1 HS 2 SGB X", "SGB X § 76 Abs. 2 Nr. 1 Halbsatz 2"),
        ("§ 71(2a) SGB X", "SGB X § 71 Abs. 2a"),
        ("Art. 6(1) a DSGVO", "DSGVO Art. 6 Abs. 1 Buchst. a"),
        ("§§ 102-114 SGB X", "SGB X §§ 102-114"),
        ("§§ 102 ff. SGB X", "SGB X §§ 102 ff."),
        ("§§ 102 ff SGB X", "SGB X §§ 102 ff."),
        ("§§ 102ff. SGB X", "SGB X §§ 102 ff."),
        ("§§ 102–105 SGB X", "SGB X §§ 102-105"),
        ("DSG NRW", "DSG NRW"),
        ("§ 62(3) Nr. 2 d SGB VIII", "SGB VIII § 62 Abs. 3 Nr. 2 Buchst. d"),
    ],
)
def test_norms_are_printed_in_one_notation(text: str, printed: str) -> None:
    """Both notations give the same value, and what is printed is read back."""
    assert str(Norm.parse(text)) == printed
    assert Norm.parse(printed) == Norm.parse(text)


@pytest.mark.parametrize(
    "text", ["", "69", "§ SGB X", "SGB X §", "SGB X § 69 irgendwas", "sgb x § 69", "SGB X § 69, 70"]
)
def test_what_is_no_norm_is_refused(text: str) -> None:
    """The message does not repeat the text: it may come from a message."""
    with pytest.raises(UnparsableNorm) as caught:
        Norm.parse(text)
    assert "irgendwas" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("§ 6(5) UVG", ["UVG § 6 Abs. 5"]),
        ("§§ 103, 104 SGB X", ["SGB X § 103", "SGB X § 104"]),
        ("§§ 103 und 105 Abs. 1 SGB X", ["SGB X § 103", "SGB X § 105 Abs. 1"]),
        ("Art. 6(1) e, 9(2) b DSGVO", ["DSGVO Art. 6 Abs. 1 Buchst. e", "DSGVO Art. 9 Abs. 2 Buchst. b"]),
        ("§ 71(2) Nr. 2 SGB X iVm § 87(2) AufenthG", ["SGB X § 71 Abs. 2 Nr. 2", "AufenthG § 87 Abs. 2"]),
        ("SGB X § 103; SGB X § 104", ["SGB X § 103", "SGB X § 104"]),
        ("§ 104 SGB X, DSG NRW", ["SGB X § 104", "DSG NRW"]),
    ],
)
def test_a_citation_names_one_norm_or_several(text: str, printed: list[str]) -> None:
    """Each norm of a citation is read, and what is printed of them is read back."""
    assert [str(norm) for norm in cited(text)] == printed
    assert cited("; ".join(printed)) == cited(text)


@pytest.mark.parametrize("text", ["", "§ 104 SGB X, weil es eilt", "§ 104", "§§ 104, SGB X", "104 und 105"])
def test_a_citation_with_anything_else_is_refused(text: str) -> None:
    """One part that is no norm spoils the whole: nothing is guessed."""
    with pytest.raises(UnparsableNorm):
        cited(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("§ 69(1) Nr. 1 A3 SGB X", {("SGB X", "69")}),
        ("SGB X § 69 Abs. 1 Nr. 1 Alt. 3", {("SGB X", "69")}),
        ("§ 68(1), (2) SGB X", {("SGB X", "68")}),
        ("§§ 1626, 1687 BGB", {("BGB", "1626"), ("BGB", "1687")}),
        ("§ 36 SGB I analog", {("SGB I", "36")}),
        ("DSG NRW (Zweckänderung)", {("DSG NRW", "")}),
        ("Art. 5(1) c DSGVO", {("DSGVO", "5")}),
        ("§§ 102-104 SGB X", {("SGB X", "102"), ("SGB X", "103"), ("SGB X", "104")}),
        ("SGB VIII § 65 Abs. 1 Satz 1 Nr. 1", {("SGB VIII", "65")}),
        ("gar nichts", set()),
    ],
)
def test_citations_name_statute_and_paragraph(text: str, found: set[tuple[str, str]]) -> None:
    """Sub-paragraphs, ranges and additions do not get in the way."""
    assert paragraphs(text) == found


def test_comparison_is_by_statute_and_paragraph() -> None:
    """The same paragraph of another statute is another; a statute alone is any of its paragraphs."""
    assert same_paragraph("§ 67b(2) SGB X", "SGB X § 67b Abs. 1 Satz 3")
    assert not same_paragraph("§ 67(4) SGB X", "SGB X § 67b")
    assert not same_paragraph("§ 65 SGB VIII", "SGB X § 65")
    assert same_paragraph("DSG NRW (Zweckänderung)", "DSG NRW § 6")


def test_a_norm_lies_in_a_wider_one() -> None:
    """Only what the wider one leaves open may differ."""
    assert Norm.parse("§ 74(1) Nr. 2 SGB X").lies_in(Norm.parse("SGB X § 74"))
    assert not Norm.parse("§ 71 SGB X").lies_in(Norm.parse("SGB X § 71 Abs. 2a"))
    assert not Norm.parse("§ 71(2) SGB X").lies_in(Norm.parse("SGB X § 71 Abs. 2a"))


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("§ 102 SGB X", True),
        ("§ 104(1) SGB X", True),
        ("§ 114 SGB X", True),
        ("§§ 102-105 SGB X", True),
        ("§§ 102 ff. SGB X", True),
        ("§ 101 SGB X", False),
        ("§ 115 SGB X", False),
        ("§§ 101-105 SGB X", False),
        ("§§ 110-115 SGB X", False),
        ("§ 104a SGB X", False),
        ("§ 104 SGB II", False),
    ],
)
def test_a_norm_lies_in_a_range(text: str, inside: bool) -> None:
    """Each paragraph of the range is one of it, the last one too; ``ff.`` begins in it."""
    assert Norm.parse(text).lies_in(Norm.parse("SGB X §§ 102-114")) is inside
    assert not Norm.parse("SGB X §§ 102-114").lies_in(Norm.parse("SGB X § 104"))
    assert Norm.parse("SGB X § 120").lies_in(Norm.parse("SGB X §§ 102 ff."))


def test_validity_is_inclusive_at_both_ends() -> None:
    """First and last day count, the days beside them do not."""
    span = Validity(date(2026, 1, 1), date(2026, 1, 31))
    assert [span.covers(date(2026, 1, day)) for day in (1, 31)] == [True, True]
    assert not span.covers(date(2025, 12, 31))
    assert not span.covers(date(2026, 2, 1))
    assert Validity(date(2026, 1, 1)).covers(date.max)


def test_spans_overlap_where_they_share_a_day() -> None:
    """Neighbours do not; an open end meets everything later."""
    january = Validity(date(2026, 1, 1), date(2026, 1, 31))
    assert january.overlaps(Validity(date(2026, 1, 31)))
    assert not january.overlaps(Validity(date(2026, 2, 1)))
    assert not Validity(date(2026, 2, 1)).overlaps(january)


def test_a_span_does_not_end_before_it_begins() -> None:
    """Such a span is refused."""
    with pytest.raises(ValueError, match="valid_to"):
        Validity(date(2026, 1, 2), date(2026, 1, 1))
