"""What is on record about persons: consents, stops, Ersuchen; keyed hashes, no identity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _consents()
    _ersuchen()
    _stops()
    _subject_state()
    _consent_near()
    _consent_withdrawals()
    _ersuchen_closings()
    _ersuchen_contents()
    _stop_ends()
    _stop_near()


def downgrade() -> None:
    op.drop_table("stop_near")
    op.drop_table("stop_ends")
    op.drop_table("ersuchen_contents")
    op.drop_table("ersuchen_closings")
    op.drop_table("consent_withdrawals")
    op.drop_table("consent_near")
    op.drop_table("subject_state")
    op.drop_table("stops")
    op.drop_table("ersuchen")
    op.drop_table("consents")


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=False),
        sa.Column("case_key", sa.String(length=96), nullable=True),
        sa.Column("given_by", sa.String(length=32), nullable=False),
        sa.Column("granted", sa.Date(), nullable=True),
        sa.Column("refused", sa.Date(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("documented", sa.Boolean(), nullable=False),
        sa.Column("default_on", sa.Boolean(), nullable=False),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.Column("voluntary", sa.Boolean(), nullable=False),
        sa.Column("insight_of_minor", sa.Boolean(), nullable=True),
        sa.Column("release_natural_person", sa.Boolean(), nullable=True),
        sa.Column("release_hash", sa.String(length=96), nullable=True),
        sa.Column("wording_version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("interpreter", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kennung", sa.String(length=36), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_consents")),
        sa.UniqueConstraint("id", name=op.f("uq_consents_id")),
        sa.UniqueConstraint("recorded_by", "kennung", name=op.f("uq_consents_recorded_by_kennung")),
    )
    op.create_index(op.f("ix_consents_case_key"), "consents", ["case_key"], unique=False)
    op.create_index(op.f("ix_consents_pseudonym"), "consents", ["pseudonym"], unique=False)
    op.create_index("ix_consents_recorded_by_seq", "consents", ["recorded_by", "seq"], unique=False)


def _ersuchen() -> None:
    op.create_table(
        "ersuchen",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("requester", sa.String(length=128), nullable=False),
        sa.Column("addressee", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("norm", sa.String(length=120), nullable=False),
        sa.Column("categories", sa.JSON(), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=True),
        sa.Column("case_key", sa.String(length=96), nullable=True),
        sa.Column("fc_status", sa.String(length=32), nullable=False),
        sa.Column("fc_asked", sa.Date(), nullable=True),
        sa.Column("fc_deadline", sa.Date(), nullable=True),
        sa.Column("fc_norm", sa.String(length=120), nullable=True),
        sa.Column("fc_reason_code", sa.String(length=32), nullable=True),
        sa.Column("deadline", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kennung", sa.String(length=36), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ersuchen")),
        sa.UniqueConstraint("id", name=op.f("uq_ersuchen_id")),
        sa.UniqueConstraint("requester", "kennung", name=op.f("uq_ersuchen_requester_kennung")),
    )
    op.create_index("ix_ersuchen_addressee_seq", "ersuchen", ["addressee", "seq"], unique=False)
    op.create_index("ix_ersuchen_requester_seq", "ersuchen", ["requester", "seq"], unique=False)


def _stops() -> None:
    op.create_table(
        "stops",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("controller", sa.String(length=128), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=False),
        sa.Column("case_key", sa.String(length=96), nullable=True),
        sa.Column("given_by", sa.String(length=32), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=True),
        sa.Column("recipient", sa.String(length=128), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kennung", sa.String(length=36), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stops")),
        sa.UniqueConstraint("controller", "kennung", name=op.f("uq_stops_controller_kennung")),
        sa.UniqueConstraint("id", name=op.f("uq_stops_id")),
    )
    op.create_index(op.f("ix_stops_case_key"), "stops", ["case_key"], unique=False)
    op.create_index("ix_stops_controller_seq", "stops", ["controller", "seq"], unique=False)
    op.create_index("ix_stops_kind", "stops", ["kind", "controller"], unique=False)
    op.create_index(op.f("ix_stops_pseudonym"), "stops", ["pseudonym"], unique=False)


def _subject_state() -> None:
    op.create_table(
        "subject_state",
        sa.Column("controller", sa.String(length=128), nullable=False),
        sa.Column("pseudonym", sa.String(length=96), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("controller", "pseudonym", name=op.f("pk_subject_state")),
    )


def _consent_near() -> None:
    op.create_table(
        "consent_near",
        sa.Column("consent_id", sa.String(length=36), nullable=False),
        sa.Column("near", sa.String(length=96), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consents.id"], name=op.f("fk_consent_near_consent_id_consents")),
        sa.PrimaryKeyConstraint("consent_id", "near", name=op.f("pk_consent_near")),
    )
    op.create_index(op.f("ix_consent_near_near"), "consent_near", ["near"], unique=False)


def _consent_withdrawals() -> None:
    op.create_table(
        "consent_withdrawals",
        sa.Column("consent_id", sa.String(length=36), nullable=False),
        sa.Column("revoked_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_consent_withdrawals_consent_id_consents")
        ),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consent_withdrawals")),
    )


def _ersuchen_closings() -> None:
    op.create_table(
        "ersuchen_closings",
        sa.Column("ersuchen_id", sa.String(length=36), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("reason_code", sa.String(length=32), nullable=False),
        sa.Column("closed_by", sa.String(length=128), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["ersuchen_id"], ["ersuchen.id"], name=op.f("fk_ersuchen_closings_ersuchen_id_ersuchen")
        ),
        sa.PrimaryKeyConstraint("ersuchen_id", name=op.f("pk_ersuchen_closings")),
    )


def _ersuchen_contents() -> None:
    op.create_table(
        "ersuchen_contents",
        sa.Column("ersuchen_id", sa.String(length=36), nullable=False),
        sa.Column("sealing_kid", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ersuchen_id"], ["ersuchen.id"], name=op.f("fk_ersuchen_contents_ersuchen_id_ersuchen")
        ),
        sa.PrimaryKeyConstraint("ersuchen_id", name=op.f("pk_ersuchen_contents")),
    )


def _stop_ends() -> None:
    op.create_table(
        "stop_ends",
        sa.Column("stop_id", sa.String(length=36), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("reason_code", sa.String(length=32), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["stop_id"], ["stops.id"], name=op.f("fk_stop_ends_stop_id_stops")),
        sa.PrimaryKeyConstraint("stop_id", name=op.f("pk_stop_ends")),
    )


def _stop_near() -> None:
    op.create_table(
        "stop_near",
        sa.Column("stop_id", sa.String(length=36), nullable=False),
        sa.Column("near", sa.String(length=96), nullable=False),
        sa.ForeignKeyConstraint(["stop_id"], ["stops.id"], name=op.f("fk_stop_near_stop_id_stops")),
        sa.PrimaryKeyConstraint("stop_id", "near", name=op.f("pk_stop_near")),
    )
    op.create_index(op.f("ix_stop_near_near"), "stop_near", ["near"], unique=False)
