"""Random transfers: likely enough to pass that both outcomes are common."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf
from consent.facts import FirstCollection, Item, Objection, ObjectionScope, PersonFacts, TransferFacts
from schemas.declarations import Declarations, Received, RegisteredProcedure
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode
from tests.consent.samples import DAY, NOTICES, PURPOSES, party

DAYS = st.sampled_from([DAY + timedelta(days=shift) for shift in (-500, -90, -40, -20, -1, 0, 1, 40)])
UNITS = [
    *("JOBCENTER", "SOZIALAMT_SGBXII", "SOZIALAMT_ASYLBLG", "WOHNGELDSTELLE", "JUGENDAMT_ASD", "JUGENDAMT_KITA"),
    *("JUGENDAMT_WJH", "JUGENDAMT_BEISTAND", "FREIER_TRAEGER", "POLIZEI"),
]
ROUTES = [
    *[
        ("JOBCENTER", "SOZIALAMT_SGBXII", "RECHTSKREISWECHSEL"),
        ("SOZIALAMT_ASYLBLG", "JOBCENTER", "RECHTSKREISWECHSEL"),
    ],
    *[("JUGENDAMT_ASD", "JOBCENTER", "RECHTSKREISWECHSEL"), ("JUGENDAMT_ASD", "JOBCENTER", "HILFEKOORDINATION")],
    *[("JUGENDAMT_ASD", "SOZIALAMT_SGBXII", "RECHTSKREISWECHSEL"), ("JOBCENTER", "JUGENDAMT_ASD", "HILFEKOORDINATION")],
    *[("JOBCENTER", "JUGENDAMT_KITA", "KITA_BEITRAG"), ("JUGENDAMT_ASD", "JUGENDAMT_KITA", "KITA_BEITRAG")],
    *[("JUGENDAMT_BEISTAND", "JUGENDAMT_KITA", "KITA_BEITRAG"), ("JOBCENTER", "FREIER_TRAEGER", "CASE_MANAGEMENT")],
    *[("JOBCENTER", "SOZIALAMT_SGBXII", "CASE_MANAGEMENT"), ("JUGENDAMT_ASD", "JUGENDAMT_WJH", "CASE_MANAGEMENT")],
    *[("JUGENDAMT_ASD", "FAMILIENGERICHT", "KINDERSCHUTZ"), ("JUGENDAMT_ASD", "JUGENDAMT_ASD", "KINDERSCHUTZ")],
    *[("JOBCENTER", "JUGENDAMT_ASD", "KINDERSCHUTZ"), ("SOZIALAMT_ASYLBLG", "JUGENDAMT_ASD", "KINDERSCHUTZ")],
    *[("SOZIALAMT_SGBXII", "JOBCENTER", "ERSTATTUNG"), ("JOBCENTER", "WOHNGELDSTELLE", "DOPPELLEISTUNG")],
    *[("JOBCENTER", "JUGENDAMT_UVG", "UVG_RUECKGRIFF"), ("JOBCENTER", "JUGENDAMT_BEISTAND", "BEISTAND_UNTERHALT")],
    *[("JOBCENTER", "AUSLAENDERBEHOERDE", "AUSLAENDERBEHOERDE"), ("JOBCENTER", "POLIZEI", "GEFAHRENABWEHR_68")],
    *[("JOBCENTER", "STAATSANWALTSCHAFT", "STRAFVERFAHREN_73"), ("JUGENDAMT_ASD", "JUGENDAMT_WJH", "INTERN_67C")],
    *[("JOBCENTER", "JOBCENTER", "UMZUG"), ("JUGENDAMT_BEISTAND", "JUGENDAMT_UVG", "BEISTAND_UNTERHALT")],
    *[("JOBCENTER", "SOZIALAMT_SGBXII", "ERWERBSFAEHIGKEIT"), ("JUGENDAMT_UVG", "JOBCENTER", "UNTERHALT_UEBERGANG")],
]
ROUTE = st.one_of(
    st.sampled_from(ROUTES),
    st.tuples(st.sampled_from(UNITS), st.sampled_from(UNITS), st.sampled_from(sorted(PURPOSES))),
)
MARKS = st.one_of(
    st.just(frozenset[OriginMark]()),
    st.sampled_from([frozenset({mark}) for mark in OriginMark]),
    st.frozensets(st.sampled_from(OriginMark), max_size=2),
)
USUAL = (
    *("STAMMDATEN", "LEISTUNGSBEZUG", "KONTAKT", "BILDUNG_ARBEIT", "HAUSHALT", "VERMOEGEN", "ANSCHRIFT", "EINKOMMEN"),
    *(
        "JUGENDHILFE_STATUS",
        "JUGENDHILFE_INHALT",
        "KINDESWOHL",
        "LEISTUNGSHOEHE",
        "SCHUTZANSCHRIFT",
        "GESUNDHEIT",
        "BEHINDERUNG_PFLEGE",
        "EINGLIEDERUNG",
    ),
)
CATEGORIES = st.one_of(st.sampled_from([DataCategory(c) for c in USUAL]), st.sampled_from(DataCategory))


def optional(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Return the strategy, or nothing."""
    return st.none() | strategy


@st.composite
def blocks(draw: st.DrawFn, ref: str, people: int) -> Item:
    """Draw one item."""
    return Item(
        id=ref,
        person=f"p{draw(st.integers(1, people))}",
        category=draw(CATEGORIES),
        part=draw(st.sampled_from([None, None, None, *Part])),
        marks=draw(MARKS),
        contested=draw(st.booleans()),
    )


@st.composite
def consents(draw: st.DrawFn, ref: str, people: int, recipient: str, purpose: str) -> Consent:
    """Draw a consent that is often valid."""
    mostly = st.integers(0, 9).map(bool)
    return Consent(
        id=ref,
        person=f"p{draw(st.integers(1, people))}",
        given_by=draw(st.sampled_from([GivenBy.PERSON] * 4 + list(GivenBy))),
        granted=draw(st.sampled_from([DAY - timedelta(days=50), DAY - timedelta(days=30)])) if draw(mostly) else None,
        purpose=purpose if draw(mostly) else "KITA_BEITRAG",
        recipients=frozenset({recipient if draw(mostly) else "*"}),
        categories=draw(
            st.just(frozenset(DataCategory.__members__)) | st.frozensets(st.sampled_from(sorted(USUAL)), max_size=9)
        ),
        form=draw(st.sampled_from([ConsentForm.SCHRIFTLICH, *ConsentForm])),
        notices=NOTICES if draw(mostly) else frozenset(),
        voluntary=draw(mostly),
        valid_until=draw(optional(DAYS)) if not draw(mostly) else None,
        revoked=draw(optional(DAYS)) if not draw(mostly) else None,
        refused=draw(optional(DAYS)) if not draw(mostly) else None,
        documented=draw(st.booleans()),
        insight_of_minor=draw(st.sampled_from([None, True, False])),
        release_of=draw(st.sampled_from([None, ReleaseOf(natural_person=True), ReleaseOf(natural_person=False)])),
        recorded_by=draw(st.sampled_from([None, "a:JOBCENTER", "b:JUGENDAMT_ASD"])),
    )


@st.composite
def declared(draw: st.DrawFn) -> Declarations:
    """Draw declarations, the opposing ones seldom."""
    seldom = st.integers(0, 9).map(lambda n: n == 0)
    return Declarations(
        konkreter_bedarf=False if draw(seldom) else None,
        bedingungen=draw(st.frozensets(st.sampled_from(["AUSL", "MB", "KOPF", "ARBG", "WEGFALL", "K12"]))),
        gewichtige_anhaltspunkte=draw(st.sampled_from([None, True, True, True, False])),
        dringend=draw(st.sampled_from([None, True, True, False])),
        gefahrrelevant=draw(st.frozensets(CATEGORIES, max_size=4)),
        ersuchen_vom=draw(optional(DAYS)),
        leitung_entschieden=draw(st.sampled_from([None, True, True])),
        norm=draw(st.sampled_from([None, "AufenthG § 87 Abs. 2"])),
        richterliche_anordnung=draw(optional(DAYS)),
        mahnung_am=draw(optional(DAYS)),
        mahnung_mit_hinweis=draw(st.sampled_from([None, True, True])),
        frist_bis=draw(optional(DAYS)),
        gerichtsverfahren=draw(st.sampled_from([None, True])),
        nachweis_fuer_anspruch=draw(st.sampled_from([None, True])),
        fortdauernder_zustand=draw(st.sampled_from([None, True])),
        par64_2_erfolg_gefaehrdet=draw(st.sampled_from(["nein", "nein", "nein", "unklar", "ja", None])),
        fachkraft=draw(st.sampled_from(["F", "F", "F", None])),
        par65_key=draw(st.sampled_from([None, "Nr. 1", "Nr. 1", "Nr. 2", "Nr. 3", "Nr. 4", "Nr. 5"])),
        anvertraut_von=draw(st.sampled_from([None, "betroffene Person", "Mutter"])),
        absender_beruf_203=draw(st.frozensets(CATEGORIES, max_size=1)) if draw(seldom) else frozenset(),
        hinweis_par76=draw(optional(DAYS)),
        verfahrensbeginn=draw(optional(DAYS)),
        anhaltspunkte_schutz=draw(seldom),
        schutzanschrift_im_register=draw(seldom),
        verpflichtung_privat=draw(optional(DAYS)),
        verfahren=RegisteredProcedure(
            "V", "AKTIV", genehmigt=True, ldi_unterrichtet=date(2025, 1, 1), kategorien=frozenset(DataCategory)
        )
        if draw(st.booleans())
        else None,
        anzahl_personen=draw(st.sampled_from([None, None, 50, 51])),
        received=Received(
            draw(st.sampled_from([None, UnitCode.JOBCENTER, UnitCode.JUGENDAMT_ASD, UnitCode.JUGENDAMT_BEISTAND])),
            draw(st.sampled_from([None, *(Purpose(p) for p in sorted(PURPOSES)), Purpose("ABGLEICH_52A")])),
            draw(st.sampled_from([None, *OriginMark])),
        ),
        haushaltsmitglieder_eingewilligt=draw(st.booleans()),
        sorge=draw(st.sampled_from([None, "gemeinsam", "allein"])),
        betreuer_aufgabenkreis=draw(optional(st.booleans())),
        anderer_traeger=draw(st.sampled_from([None, None, True])),
    )


@st.composite
def transfers(draw: st.DrawFn, people: int = 2) -> TransferFacts:
    """Draw a transfer with up to `people` persons."""
    sender, recipient, purpose = draw(ROUTE)
    statuses = [("VERSUCHT_FRUCHTLOS", None), ("UNVERHAELTNISMAESSIG", "NUR_BEI_STELLE"), ("AUFGABENART", None)]
    status, reason = draw(st.sampled_from([*statuses, ("NICHT_VERSUCHT", None), ("EINWILLIGUNG", None)]))
    collected = FirstCollection(status, DAY - timedelta(days=40), DAY - timedelta(days=20), None, reason)
    ages = [draw(st.sampled_from([None, 9, 14, 15, 17, 18, 40, 40, 40])) for _ in range(people)]
    return TransferFacts(
        sender=party(sender),
        recipient=party(recipient),
        purpose=Purpose(purpose),
        mode=draw(st.sampled_from(Mode)),
        persons=tuple(PersonFacts(f"p{n}", age, is_child=bool(age and age < 18)) for n, age in enumerate(ages, 1)),
        items=tuple(draw(blocks(f"i{n}", people)) for n in range(draw(st.integers(1, 6)))),
        declarations=draw(declared()),
        first_collection=draw(st.sampled_from([collected, collected, collected, None])),
        consents=tuple(draw(consents(f"c{n}", people, recipient, purpose)) for n in range(draw(st.integers(0, 3)))),
        objections=draw(st.just(()) | st.tuples(objections(people))),
        same_controller=draw(st.sampled_from([None, None, None, False, True])),
    )


@st.composite
def objections(draw: st.DrawFn, people: int) -> Objection:
    """Draw an objection."""
    return Objection(
        date=draw(DAYS),
        scope=draw(st.sampled_from([ObjectionScope.PAR76, ObjectionScope.PAR76, *ObjectionScope])),
        by=draw(st.sampled_from(GivenBy)),
        person=draw(st.sampled_from([None, *(f"p{n}" for n in range(1, people + 1))])),
        recorded_by=draw(st.sampled_from([None, "a:JOBCENTER"])),
        near=draw(st.integers(0, 9)) == 0,
    )
