# The gateway as one image; its roles (gateway, relay, delivery, sealer) are subcommands of the one entrypoint.

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
LABEL org.opencontainers.image.title="Amtsbrücke" \
      org.opencontainers.image.description="Carries social data between Jobcenter, Sozialamt and Jugendamt where the law lets it, and proves why" \
      org.opencontainers.image.licenses="EUPL-1.2"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin amtsbruecke \
    && install --directory --owner=amtsbruecke --mode=0700 /var/lib/amtsbruecke
COPY --from=environment /opt/amtsbruecke /opt/amtsbruecke
COPY alembic.ini /srv/amtsbruecke/
COPY alembic /srv/amtsbruecke/alembic
COPY LICENSE /srv/amtsbruecke/
ENV PATH=/opt/amtsbruecke/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AMTSBRUECKE_HOST=0.0.0.0 \
    AMTSBRUECKE_DATA_DIR=/var/lib/amtsbruecke
WORKDIR /srv/amtsbruecke
USER amtsbruecke
VOLUME /var/lib/amtsbruecke
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/livez', timeout=2)"]
ENTRYPOINT ["amtsbruecke"]
CMD ["run", "--no-demo"]
