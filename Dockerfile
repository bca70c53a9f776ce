# corsproc as a static binary on an image without a shell, run by nobody in particular.
#
#   docker build -t corsproc .                    the service
#   docker build -t corsproc-demo --target demo . the upstream and the page of the demo

FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG COMMIT=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /out/corsproc ./cmd/corsproc \
 && CGO_ENABLED=0 go build -trimpath -o /out/demo ./envoy/demo

FROM gcr.io/distroless/static-debian12:nonroot AS demo
COPY --from=build /out/demo /usr/bin/demo
ENTRYPOINT ["/usr/bin/demo"]

# The last stage is what a plain `docker build` makes.
FROM gcr.io/distroless/static-debian12:nonroot AS corsproc
COPY --from=build /out/corsproc /usr/bin/corsproc
# ext_proc and health; metrics and the admin page.
EXPOSE 9002 9003
# Asks the default --listen address. Where another one is set, set the health check's too.
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s CMD ["/usr/bin/corsproc", "health", "127.0.0.1:9002"]
ENTRYPOINT ["/usr/bin/corsproc"]
CMD ["serve", "--policies", "/etc/corsproc/policies.yaml"]
