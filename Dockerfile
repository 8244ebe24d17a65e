FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make binary ARCH=$(go env GOARCH) OUT=/out/milepost COMMIT= DATE= && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/milepost /milepost
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV MILEPOST_DATA_DIR=/data MILEPOST_LOCK_DIR=/data/locks MILEPOST_ADMIN_LISTEN=:8081 MILEPOST_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/milepost", "health"]
ENTRYPOINT ["/milepost"]
CMD ["serve"]
