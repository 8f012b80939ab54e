# The wheel is built in one stage and installed in another, so the image holds no build tools.
#
#   docker build -t querywarden .
#   docker run -p 6432:6432 -p 6433:6433 -v ./rules.yaml:/etc/querywarden/rules.yaml:ro \
#     -v ./userlist.txt:/etc/querywarden/userlist.txt:ro -e QUERYWARDEN_UPSTREAM=postgresql://... querywarden

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY proxy proxy
COPY policies policies
COPY rules rules
ENV PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/querywarden \
 && python -m pip wheel --no-deps --wheel-dir /wheels . \
 && /opt/querywarden/bin/pip install /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home querywarden
COPY --from=build /opt/querywarden /opt/querywarden
ENV PATH=/opt/querywarden/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QUERYWARDEN_RULES=/etc/querywarden/rules.yaml \
    QUERYWARDEN_AUTH_FILE=/etc/querywarden/userlist.txt \
    QUERYWARDEN_LISTEN=0.0.0.0:6432 \
    QUERYWARDEN_ADMIN=0.0.0.0:6433 \
    QUERYWARDEN_RECORDS=-
USER 10001:10001
EXPOSE 6432 6433
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:6433/healthz', timeout=2)"]
ENTRYPOINT ["querywarden"]
CMD ["serve"]
