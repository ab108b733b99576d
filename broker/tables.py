"""All tables in one metadata, for migrations."""

from __future__ import annotations

from broker import key_checks as _keys
from broker.attempts import models as _attempts
from broker.audit import models as _audit
from broker.auth import models as _auth
from broker.cleanup import horizons as _cleanup
from broker.consents import models as _consents
from broker.db import Base
from broker.delivery import models as _delivery
from broker.directory import models as _directory
from broker.law import models as _law
from broker.lifecycle import models as _lifecycle
from broker.outbox import models as _outbox
from broker.procedures import models as _procedures
from broker.requests import models as _requests
from broker.subjects import models as _subjects
from broker.transfers import models as _transfers
from broker.transport import models as _transport

PARTS = (
    _attempts,
    _audit,
    _auth,
    _cleanup,
    _consents,
    _delivery,
    _directory,
    _law,
    _keys,
    _lifecycle,
    _outbox,
    _procedures,
    _requests,
    _subjects,
    _transfers,
    _transport,
)

METADATA = Base.metadata
