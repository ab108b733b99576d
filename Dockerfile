# One image, all roles: gateway, relay, delivery, sealer are subcommands of the one entrypoint. The root file system may be
# read-only (a tmpfs on /tmp); keys and the folders of channels lie in /var/lib/amtsbruecke.

FROM python:3.11-slim AS wheel
WORKDIR /src
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements-dev.txt
COPY . .
RUN pip wheel --no-build-isolation --no-deps --wheel-dir /dist .

FROM python:3.11-slim AS environment
RUN python -m venv /opt/amtsbruecke
ENV PATH=/opt/amtsbruecke/bin:$PATH
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY --from=wheel /dist /dist
RUN pip install --no-cache-dir --no-index --no-deps /dist/*.whl

FROM python:3.11-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Amtsbrücke" \
      org.opencontainers.image.description="Carries social data between Jobcenter, Sozialamt and Jugendamt where the law lets it, and proves why" \
      org.opencontainers.image.licenses="EUPL-1.2" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin amtsbruecke \
    && install --directory --owner=amtsbruecke --mode=0700 /var/lib/amtsbruecke
COPY --from=environment /opt/amtsbruecke /opt/amtsbruecke
COPY LICENSE /srv/amtsbruecke/
ENV PATH=/opt/amtsbruecke/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AMTSBRUECKE_HOST=0.0.0.0 \
    AMTSBRUECKE_OPS_PORT=9090 \
    AMTSBRUECKE_DATA_DIR=/var/lib/amtsbruecke
WORKDIR /srv/amtsbruecke
USER 10001
VOLUME /var/lib/amtsbruecke
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9090/livez', timeout=2)"]
ENTRYPOINT ["amtsbruecke"]
CMD ["serve"]
