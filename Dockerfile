# docker build -t one-balance .
# docker run -p 8080:8080 -v one-balance:/var/lib/one-balance one-balance
#
# Without AUTH_KEY the first start makes an auth key and prints it once:
# docker logs shows it.

FROM debian:bookworm-slim AS build
WORKDIR /src
# The packages change less often than the code, so they get a layer of their
# own.
COPY dev ./
COPY tools/prices tools/prices
# node makes the table of prices; without it costs are not known.
RUN apt-get update \
    && apt-get install -y --no-install-recommends nodejs npm \
    && ./dev setup build
COPY . ./
RUN ./dev build && strip build/one-balance

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libsqlite3-0 libssl3 libuv1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 one-balance \
    && useradd --uid 10001 --gid 10001 --no-create-home \
        --home-dir /var/lib/one-balance --shell /usr/sbin/nologin one-balance \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/one-balance
COPY --from=build /src/build/one-balance /usr/local/bin/one-balance
COPY packaging/healthcheck /usr/local/bin/one-balance-healthcheck

USER 10001:10001
WORKDIR /var/lib/one-balance
VOLUME /var/lib/one-balance
ENV ONE_BALANCE_LISTEN=0.0.0.0:8080 \
    ONE_BALANCE_DATABASE=/var/lib/one-balance/one-balance.db
EXPOSE 8080
# SIGTERM drains: give `docker stop` a little more than timeouts.drain_ms.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["one-balance-healthcheck"]
ENTRYPOINT ["one-balance"]
CMD ["serve"]
