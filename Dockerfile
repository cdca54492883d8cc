# syntax=docker/dockerfile:1
# Two stages: wheels are chosen and installed in the first, the second holds no compiler and no pip
# cache. `docker build --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .` is reproducible
# as far as the base image is: pin it by digest where that matters.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install -r requirements/production.txt -r requirements/extras.txt

FROM python:${PYTHON}
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    BIND_ADDRESS=0.0.0.0 PORT=8000 BACKGROUND_TASKS_AUTOSTART=false \
    STATIC_ROOT=/app/staticfiles BACKUP_DIR=/data/backups RAG_VECTOR_FILES=/data/vectors PROMETHEUS_MULTIPROC_DIR=/tmp/metrics
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin docent \
    && install -d -o docent -g docent /app /data /data/backups /data/vectors
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY --chown=docent:docent manage.py pyproject.toml ./
COPY --chown=docent:docent config/ config/
COPY --chown=docent:docent common/ common/
COPY --chown=docent:docent users/ users/
COPY --chown=docent:docent rag/ rag/
COPY --chown=docent:docent chat/ chat/
COPY --chown=docent:docent background_tasks/ background_tasks/
COPY --chown=docent:docent templates/ templates/
COPY --chown=docent:docent static/ static/
COPY --chown=docent:docent documents/ documents/
USER 10001
# The key is for this one command: nothing it makes depends on it.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    ALLOWED_HOSTS=build.invalid PUBLIC_URL=https://build.invalid \
    python manage.py collectstatic --noinput
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/health/live/', headers={'Host': __import__('os').environ['ALLOWED_HOSTS'].split(',')[0]}), timeout=2)"]
# SIGTERM: no new requests, open streams get an ending event, then the processes end.
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve", "--only"]
