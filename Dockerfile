# The binary `miroir` and the libraries that it needs beside Debian's slim image.
FROM debian:12 AS build
WORKDIR /src
COPY dev .
RUN ./dev install
COPY . .
RUN ./dev build release miroir \
 && mkdir -p /image/bin /image/lib \
 && strip --strip-debug -o /image/bin/miroir build/release/miroir \
 && cp $(ldd build/release/miroir | awk '$2 == "=>" && $1 !~ /^lib[cm]\.so/ { print $3 }') /image/lib

FROM debian:12-slim
COPY --from=build /image /usr/local
RUN ldconfig && useradd --system --create-home --home-dir /var/lib/miroir miroir
USER miroir
WORKDIR /var/lib/miroir
ENV MIROIR_CONFIG_PATH=/etc/miroir/miroir.yaml MIROIR_DATA_DIR=/var/lib/miroir
VOLUME /var/lib/miroir
EXPOSE 7700 9090
ENTRYPOINT ["miroir"]
CMD ["serve"]
