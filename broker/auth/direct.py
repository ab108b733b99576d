"""Routes of the hot path: the framework's walk through the graph of dependencies is left out.

That walk is about a tenth of a transfer's processor time. The endpoint keeps the signature that documents it, and gets
what its dependencies would have given: request, gateway and authenticated caller.
"""

from __future__ import annotations

from fastapi import Request, Response

from broker.access import Answering, Guarded, authenticated
from broker.gateway import gateway


class DirectRoute(Guarded):
    """A guarded route whose endpoint takes (request, gateway, caller) and answers a finished response."""

    def guarding(self, handle: Answering) -> Answering:  # noqa: ARG002 - the walk that is left out
        """Answer by the endpoint itself, once its caller is let in."""

        async def answer(request: Request) -> Response:
            who = await authenticated(request)
            self.access.admit(who)
            response: Response = await self.endpoint(request, await gateway(request), who)
            return response

        return answer
