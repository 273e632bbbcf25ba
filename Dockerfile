# Doorward in a container: docs/deploying.md.
#
# Two stages: the repository's own `./dev` builds on Debian 13; what the program needs to run is copied into an image that
# holds nothing else, no shell and no package manager. BASE may name a mirror's Debian, or one by its digest.
ARG BASE=debian:13-slim

FROM ${BASE} AS build
WORKDIR /src
# Slow, and seldom another: the distribution's packages, the wraps and the pages' packages.
COPY dev ./
COPY subprojects subprojects/
COPY web/package.json web/package-lock.json web/
RUN ./dev setup
COPY . .
# The lock file came again, the same but maybe younger: no reason to install again.
RUN touch web/node_modules/.package-lock.json && ./dev build && deploy/image/stage build /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Doorward" \
      org.opencontainers.image.description="Authentication service: accounts, JWTs, refresh tokens, over TLS" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/root/ /
# The one place that is written to: data, keys and certificate are in ./var below it.
COPY --from=build --chown=65532:65532 /image/data/ /var/lib/
# Of the libraries, only OpenSSL's is asked for authorities, by MongoDB over TLS.
ENV LISTEN=0.0.0.0 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /var/lib/doorward
VOLUME /var/lib/doorward
EXPOSE 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/doorward", "health", "--ready"]
ENTRYPOINT ["/usr/bin/doorward"]
CMD ["serve"]
