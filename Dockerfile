# syntax=docker/dockerfile:1

# The pages' scripts.
FROM node:22-bookworm-slim AS web
WORKDIR /build/hub/web
COPY hub/web/ ./
RUN bash build.sh

# The program and exactly the locked dependencies, in an environment of their own.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/doorbell \
    && /opt/doorbell/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY hub/ hub/
COPY consumers/ consumers/
COPY channels/ channels/
COPY templates/ templates/
COPY --from=web /build/hub/web/static/js/ hub/web/static/js/
RUN /opt/doorbell/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/doorbell --shell /usr/sbin/nologin doorbell
COPY --from=build /opt/doorbell /opt/doorbell
ENV PATH=/opt/doorbell/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DOORBELL_LISTEN=0.0.0.0:8080 \
    DOORBELL_ADMIN_LISTEN=0.0.0.0:9090
# By number, so that Kubernetes can see that it is not root.
USER 10001
WORKDIR /var/lib/doorbell
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health/live', timeout=2)"]
ENTRYPOINT ["doorbell"]
CMD ["serve"]
