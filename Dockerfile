# Two images from one file: `portal` for web, worker, sweep and migrations; `sandbox`, the stand-in ITCare, for trying it.
FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/srv/venv/bin:$PATH
WORKDIR /srv/portal
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin portal \
 && python -m venv /srv/venv

FROM base AS portal
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY manage.py .
COPY docker/healthcheck.py docker/
COPY static static
COPY templates templates
COPY portal portal
# collectstatic reads the settings: values for this one command, none of them a secret.
RUN SECRET_KEY=build ENCRYPTION_KEYS=build DATABASE_URL=postgresql://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1 \
    ITCARE_BASE_URL=https://127.0.0.1 ITCARE_TOKEN_URL=https://127.0.0.1 ITCARE_CLIENT_ID=build ITCARE_CLIENT_SECRET=build \
    STATIC_ROOT=/srv/static python manage.py collectstatic --no-input \
 && mkdir /srv/audit && chown portal /srv/audit
ENV STATIC_ROOT=/srv/static
USER portal
CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload", "--no-control-socket"]

FROM base AS sandbox
RUN --mount=type=bind,source=requirements-demo.txt,target=/tmp/demo.txt \
    grep -E '^(PyYAML|jsonschema)==' /tmp/demo.txt > /tmp/sandbox.txt \
 && pip install --no-cache-dir --disable-pip-version-check -r /tmp/sandbox.txt \
 && mkdir /srv/state && chown portal /srv/state
COPY docs/itcare/openapi.yaml docs/itcare/
COPY sandbox sandbox
USER portal
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0", "--state", "/srv/state/sandbox.json"]
