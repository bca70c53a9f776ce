# corsproc as a static binary on an image without a shell, run by nobody in particular; and an Envoy that has it as a module.
#
#   docker build -t corsproc .                             the service
#   docker build -t corsproc-demo --target demo .          the upstream and the page of the demo
#   docker build -t envoy-corsproc --target envoy-module . Envoy with the module, for envoy/module.yaml

FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
ARG COMMIT=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /out/corsproc ./cmd/corsproc \
 && CGO_ENABLED=0 go build -trimpath -o /out/demo ./envoy/demo

# The module is Go and C, and runs with the C library of the image that Envoy is in: it is compiled with one that is not newer in
# what it asks for (glibc 2.34).
FROM golang:1.26.8-bookworm AS build-module
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=1 go build -trimpath -buildvcs=false -ldflags "-s -w" -buildmode=c-shared -o /out/libcorsproc.so ./envoy/module

# Envoy's own image and one file. It is started as that image is: its entrypoint, its user, its defaults.
FROM envoyproxy/envoy:v1.40.0 AS envoy-module
COPY --from=build-module /out/libcorsproc.so /usr/local/lib/envoy/libcorsproc.so
ENV ENVOY_DYNAMIC_MODULES_SEARCH_PATH=/usr/local/lib/envoy

FROM gcr.io/distroless/static-debian12:nonroot AS demo
COPY --from=build /out/demo /usr/bin/demo
ENTRYPOINT ["/usr/bin/demo"]

# The last stage is what a plain `docker build` makes.
FROM gcr.io/distroless/static-debian12:nonroot AS corsproc
COPY --from=build /out/corsproc /usr/bin/corsproc
# ext_proc and health; metrics and the admin page.
EXPOSE 9002 9003
# Asks the default --listen address. Where another one is set, set the health check's too; with --listen= it is the admin address.
HEALTHCHECK --interval=5s --timeout=2s --start-period=5s CMD ["/usr/bin/corsproc", "health", "127.0.0.1:9002"]
ENTRYPOINT ["/usr/bin/corsproc"]
CMD ["serve", "--policies", "/etc/corsproc/policies.yaml"]
