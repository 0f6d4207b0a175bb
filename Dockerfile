# An image of NIJA: docker build -t nija --build-arg NIJA_BUILD="$(git rev-parse HEAD)" .
#
# Not yet built by anybody: where this was written there was no Docker. What can be looked at without one is tested
# (tests/checks/test_deploy_files.py): its steps, its files, and that the program runs with these files and packages.

FROM python:3.11.13-slim-bookworm AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock /
# Nothing whose hash is not in the list. krakenex alone has no wheel; it is made with the setuptools that Python brings.
RUN python -m venv /opt/nija \
    && /opt/nija/bin/pip install --require-hashes --no-deps --only-binary :all: --no-binary krakenex \
       --no-build-isolation -r /requirements.lock \
    && /opt/nija/bin/pip check

FROM python:3.11.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin nija \
    && install -d -o nija -g nija -m 0700 /data
WORKDIR /app
COPY --from=packages /opt/nija /opt/nija
COPY bot.py check_active_trading_per_broker.py check_broker_status.py check_independent_broker_status.py \
     check_kraken_status.py test_kraken_connection_live.py verify_master_broker_independence.py ./
COPY bot ./bot
COPY paper_exchange ./paper_exchange
COPY config ./config
COPY docs ./docs
RUN /opt/nija/bin/python -m compileall -q bot paper_exchange
# Which commit this is; there is no .git in the image to read it from.
ARG NIJA_BUILD=""
ENV PATH="/opt/nija/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    NIJA_BUILD=$NIJA_BUILD \
    STATE_DIR=/data \
    PORT=8080
USER nija
# Orders, positions, nonces and the log. Give it a name of your own, or a newer image starts as a first run.
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive is enough: a bot that waits for its turn, or whose brokerage is down, is not helped by a restart.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/live', timeout=8)"]
ENTRYPOINT ["python", "bot.py"]
CMD []
