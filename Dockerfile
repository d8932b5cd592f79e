# Two images of one build: `app` holds photo-app alone and is what compose.yaml runs as web server and worker; `lab` holds lightmeter,
# which plays the stand-ins. Nothing of the compiler reaches either, and neither runs as root.
#   docker build --target app -t photo-app .      (--build-arg FEATURES=aws-tls for AWS itself)
FROM rust:1.95-bookworm AS build
ARG FEATURES=""
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package photo-app --features "${FEATURES}" \
 && cargo build --release --locked --package lightmeter \
 && install -D -t /out target/release/photo-app target/release/lightmeter

FROM debian:bookworm-slim AS base
# Whose certificates to believe; with aws-tls the app asks AWS, and the slim image has none of its own.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN useradd --system --uid 10001 --home-dir /var/lib/photo-app --create-home photo-app
WORKDIR /var/lib/photo-app
USER 10001:10001

FROM base AS lab
COPY --from=build /out/lightmeter /usr/local/bin/lightmeter
ENTRYPOINT ["/usr/local/bin/lightmeter"]

FROM base AS app
COPY --from=build /out/photo-app /usr/local/bin/photo-app
ENV PHOTO_APP_LISTEN=0.0.0.0:8080
EXPOSE 8080
# Ready means that every backend answers; a worker says the same of itself. Bash speaks enough HTTP, so that nothing is installed for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r status <&3 && [[ $status == *' 200 '* ]]"]
ENTRYPOINT ["/usr/local/bin/photo-app"]
CMD ["serve"]
