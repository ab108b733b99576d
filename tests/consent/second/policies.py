"""The rows of the law as policies of Cedar: five questions, each with policies of its own.

`go`: may the case go at all? `open`: is nothing of this item locked? `named`: does no item that has to be named by a
consent lack it? `need`: is this item carried and needed? `rest`: is what is left of use?
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from cedarpy import PolicySet

from tests.consent.second.tables import (
    ANYONE,
    IDENTITY,
    INTERNAL,
    MEDICAL,
    NAMED,
    OF_SEVERAL,
    PROOFS,
    RELEASED,
    REQUESTED,
    Row,
    Tables,
    a_set,
    all_of,
    in_force,
    no,
    one_of,
    quoted,
    side,
)

EXTERNAL = no(INTERNAL)
RECEIVED = 'context.marks.contains("EMPFANGEN")'
Policy = tuple[str, str, str]
"""Effect, name, condition."""


@cache
def tables() -> Tables:
    """Return the tables of this tree's law, read once."""
    return Tables.read()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: its policies, their names, and what they look at."""

    policies: PolicySet
    names: frozenset[str]
    attributes: frozenset[str]


@cache
def question(name: str, purpose: str) -> Asked:
    """Return the policies of a question for a purpose, parsed once."""
    found = [policy for policy in QUESTIONS[name](tables(), purpose) if policy[2] != "false"]
    text = "\n".join(map(written, found))
    return Asked(
        PolicySet.from_str(text),
        frozenset(policy_name for _, policy_name, _ in found),
        frozenset(re.findall(r"context(?:\.| has )(\w+)", text)),
    )


def written(policy: Policy) -> str:
    """Write one policy in Cedar."""
    effect, name, condition = policy
    return f"@id({quoted(name)})\n{effect} (principal, action, resource) when {{ {condition} }};"


def go(law: Tables, purpose: str) -> Iterator[Policy]:
    """Of the case: a ground carries the route, and nothing stops it."""
    routed, only = law.any_route(purpose), law.by_consent(purpose)
    yield "permit", "use by one controller", all_of(law.flag(purpose, "nur_intern"), INTERNAL)
    yield "permit", "inside one controller", all_of(INTERNAL, routed)
    for nr, row in enumerate(law.grounds(purpose, "gesetz")):
        yield "permit", f"ground {nr} {row['regime']}", all_of(EXTERNAL, routed, no(only), law.ground(row))
    for nr, row in enumerate(law.grounds(ANYONE, "einwilligung")):
        yield "permit", f"consent {nr} {row['regime']}", all_of(EXTERNAL, routed, only, law.ground(row))
    yield "forbid", "no task", law.flag(purpose, "ohne_aufgabe")
    contrary = "context.other_body || principal.controller != resource.controller"
    yield "forbid", "one controller and not", all_of("context has same && context.same", contrary)
    yield from ((effect, name, all_of(EXTERNAL, held)) for effect, name, held in stops(law, purpose))


def stops(law: Tables, purpose: str) -> Iterator[Policy]:
    """Stop a transfer from one controller to another."""
    protects = law.flag(purpose, "schutzauftrag")
    named = one_of(
        all_of(in_force(row), side("resource", row["recipient"]))
        for row in law.of("row", purpose)
        if row["recipient"] != ANYONE
    )
    yield "forbid", "recipient without a task", all_of("!resource.social", no(named))
    harmless = [
        'context.par64 == "nein" && context.fachkraft',
        'context.par64 == "unklar" && context.consent_of_all',
    ]
    asked = all_of('principal.controller == "SGB8"', "resource.social", no(protects))
    yield "forbid", "success of help", all_of(asked, no(one_of(harmless)))
    for nr, row in enumerate(law.of("barred", purpose)):
        sides = [
            one_of(side(who, unit) for unit in row[units])
            for who, units in (("principal", "senders"), ("resource", "recipients"))
        ]
        yield "forbid", f"barred {nr}", all_of(in_force(row), *sides)
    asked = [law.counting(row) for row in law.of("row", purpose) if row.get("nur_auf_ersuchen")]
    yield (
        "forbid",
        "only on request",
        all_of('context.mode == "UNAUFGEFORDERT"', one_of([law.flag(purpose, "nur_auf_ersuchen"), *asked])),
    )
    yield "forbid", "no need", "context.no_need"
    for row in law.of("proof", purpose):
        kept = f"!{a_set(row.get('except_controllers', ()))}.contains(principal.controller)"
        regimes = f"{a_set(row['regimes'])}.contains(principal.regime)"
        given = PROOFS[row["proof"]](law)
        yield (
            "forbid",
            f"proof {row['proof']}",
            all_of(in_force(row), side("resource", row["recipient"]), regimes, kept, no(given)),
        )
    yield "forbid", "not committed", "resource.private && !context.committed"
    yield "forbid", "first collection", all_of(REQUESTED, "resource.social", no(law.collected(purpose)))
    yield (
        "forbid",
        "protected interest",
        all_of(no(protects), "context.endangered || (context.sheltered && context.address)"),
    )
    yield (
        "forbid",
        "procedure",
        all_of(registered(law), f"!(context has entry && context.entry.active && ({approvals(law)}))"),
    )


def registered(law: Tables) -> str:
    """Whether the mode, or the number of persons, needs a registered procedure."""
    many = law.figure("MASSEN_PERSONEN", "context.people >")
    return one_of([many, *(procedure(row) for row in law.rows["procedure"])])


def procedure(row: Row) -> str:
    """Whether a row of the procedures concerns the case."""
    return all_of(
        in_force(row), f"context.mode == {quoted(row['mode'])}", f"principal.regime == {quoted(row['regime'])}"
    )


def approvals(law: Tables) -> str:
    """Whether approvals are there, or not asked."""
    asked = one_of(procedure(row) for row in law.rows["procedure"] if row.get("approved"))
    return one_of(["context.entry.approved", no(asked)])


def locked(law: Tables, purpose: str) -> Iterator[Policy]:
    """One item: nothing locks it, or a key opens."""
    yield "permit", "no lock", "true"
    for row in law.rows["lock"]:
        mark, lock = row["mark"], row["code"]
        key = law.opened(purpose, lock, mark)
        asked = {"ANVERTRAUT_65": "true"} | dict.fromkeys(MEDICAL, EXTERNAL)
        if mark in asked:
            yield "forbid", f"lock {mark}", all_of(in_force(row), law.marked(mark), asked[mark], no(key))
        came = all_of(in_force(row), RECEIVED, law.travelling(mark))
        yield (
            "forbid",
            f"received {mark}",
            all_of(came, no(all_of(f"context.origin_purpose == {quoted(purpose)}", key))),
        )
    yield (
        "forbid",
        "protected address",
        all_of('context.category == "SCHUTZANSCHRIFT"', no(law.opened(purpose, "SCHUTZINTERESSE", None))),
    )
    yield (
        "forbid",
        "own secrecy",
        all_of(EXTERNAL, "context.secret.contains(context.category)", no(law.opened(purpose, "PAR203", None))),
    )
    other = f"context.origin_purpose != {quoted(purpose)}"
    yield "forbid", "received for no purpose", all_of(RECEIVED, EXTERNAL, 'context.origin_purpose == ""')
    yield "forbid", "received outside", all_of(RECEIVED, other, "!principal.par35")
    for row in (row for row in law.rows["deletion"] if row["purpose"] != purpose):
        yield (
            "forbid",
            f"deletion {row['purpose']}",
            all_of(in_force(row), RECEIVED, other, f"context.origin_purpose == {quoted(row['purpose'])}"),
        )


def named(law: Tables, purpose: str) -> Iterator[Policy]:
    """All items left: on some routes the whole case stops where no consent names one."""
    yield "permit", "named or not asked", "true"
    strict = law.only_consent(purpose, strict=True)
    yield "forbid", "not named", all_of(EXTERNAL, strict, "!context.consented.containsAll(context.left_keys)")


def need(law: Tables, purpose: str) -> Iterator[Policy]:
    """One item: the row of the route needs it, its condition is fulfilled, and where consent carries one names it."""
    yield "permit", "use by one controller", law.flag(purpose, "nur_intern")
    for nr, row in enumerate(law.of("row", purpose)):
        counting = law.counting(row)
        yield "permit", f"needed {nr}", all_of(f"{a_set(row['necessary'])}.contains(context.category)", counting)
        for category, condition in row.get("conditional", {}).items():
            met = one_of(
                all_of(in_force(how), fulfilled(law, purpose, how))
                for how in law.rows["condition"]
                if how["code"] == condition
            )
            yield (
                "permit",
                f"{condition} {nr} {category}",
                all_of(f"context.category == {quoted(category)}", counting, met),
            )
    intern = law.flag(purpose, "nur_intern")
    key = 'context.part == "STEUER_IDNR" || (context.category == "ORDNUNGSMERKMAL" && context.tax_id)'
    yield "forbid", "tax id", all_of(no(intern), key)
    by_consent = all_of(EXTERNAL, law.by_consent(purpose))
    yield "forbid", "not named", all_of(by_consent, f'!{NAMED} || context.klass == "G"')
    yield (
        "forbid",
        "not in the procedure",
        all_of(EXTERNAL, registered(law), "!context.entry.categories.contains(context.category)"),
    )


def fulfilled(law: Tables, purpose: str, row: Row) -> str:
    """Whether a condition of a necessity row is fulfilled."""
    element = f"{a_set(row.get('part', ()))}.contains(context.part)"
    said = f"(context.conditions.contains({quoted(row['code'])}) || {element})"
    several = f"(!{a_set(OF_SEVERAL)}.contains(context.category) || context.household)"
    return {
        "erklaert": said,
        "element": element,
        "nicht_deutsch": f'({said} && context.german != "ja")',
        "kind": f"({said} || (context.child_age >= 12 && context.child_age <= 17))",
        "ersuchen": all_of(
            REQUESTED,
            one_of(["!resource.social", law.collected(purpose)]),
            "!(context has requested) || context.requested.contains(context.category)",
        ),
        "gutachten": opinion(law, purpose),
        "fortdauernd": "context.continuing",
        "gefahrrelevant": "context.relevant.contains(context.category)",
        "nachweis": "context.proves",
        "intern": INTERNAL,
        "einwilligung": all_of(NAMED, several),
    }[row["how"]]


def opinion(law: Tables, purpose: str) -> str:
    """OBJ_OK: every medical mark of the item opens; without one a release does; never what was learned by oneself."""

    def bears(mark: str) -> str:
        return one_of([law.marked(mark), all_of(RECEIVED, law.travelling(mark))])

    opens = [one_of([no(bears(mark)), law.opened(purpose, "PAR76", mark)]) for mark in MEDICAL]
    none = all_of(*(no(bears(mark)) for mark in MEDICAL))
    return all_of(no(bears("SELBST")), f"if ({none}) then {RELEASED} else ({all_of(*opens)})")


def rest(law: Tables, purpose: str) -> Iterator[Policy]:
    """Of what is left after something fell: something of the kern, or more than mere identity."""
    rows = law.of("row", purpose)
    cores = [row for row in law.rows["purpose"] if row["code"] == purpose]
    more = f"!{a_set(IDENTITY)}.containsAll(context.left)"
    for core in cores:
        for row in rows:
            kern = row.get("kern") or core.get("kern")
            carried = f"context.left.containsAny({a_set(kern)})" if kern else more
            yield (
                "permit",
                f"carried {row['sender']} {row['recipient']}",
                all_of(in_force(core), law.counting(row), carried),
            )
        if core.get("nur_intern"):
            yield "permit", "more than identity", all_of(in_force(core), more)


Question = Callable[[Tables, str], Iterator[Policy]]
QUESTIONS: Mapping[str, Question] = {"go": go, "open": locked, "named": named, "need": need, "rest": rest}
