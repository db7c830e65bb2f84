# SwarmNode in a slim image: the program with Swift's run-time in it, Debian's libraries, a user without rights.
#
#   DOCKER_BUILDKIT=1 docker build --target swarm -t swarmnode .
#   docker run -d -v swarm:/var/lib/swarm -p 6881:6881 -p 6881:6881/udp --name swarm swarmnode
#   docker exec swarm swarm add 'magnet:…' --sockets /run/swarm
#
# BuildKit builds only the stages that the target needs; the engine's older builder, which Debian 12 still uses
# without that variable, would stop at "given". Without --target the image is that of the tests.
#
# BUILDER has Swift, BASE is what the program runs on. PROGRAM is the stage that the program is taken from:
# "built", which builds it, or "given", which takes the file swarm of the folder that docker build is given. So
# does interop/compose.sh, which makes BASE by itself, since a registry may be out of reach.
ARG BUILDER=swift:6.2-bookworm
ARG BASE=debian:bookworm-slim
ARG PROGRAM=built

FROM ${BUILDER} AS built
WORKDIR /source
COPY . .
RUN Scripts/deps.sh && swift build -c release --static-swift-stdlib --product swarm \
  && install -D -s .build/release/swarm /out/swarm

FROM scratch AS given
COPY swarm /out/swarm

FROM ${PROGRAM} AS program

FROM ${BASE} AS swarm
COPY Scripts/image.sh /tmp/
RUN sh /tmp/image.sh swarm && rm /tmp/image.sh
COPY --from=program /out/swarm /usr/local/bin/swarm
USER swarm
ENV HOME=/var/lib/swarm XDG_RUNTIME_DIR=/run
VOLUME /var/lib/swarm
EXPOSE 6881/tcp 6881/udp
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["swarm", "ls", "--sockets", "/run/swarm", "--json"]
ENTRYPOINT ["swarm"]
CMD ["daemon", "--state", "/var/lib/swarm", "--sockets", "/run/swarm", "--listen", "6881"]

# For docker-compose.test.yml: with what the scenarios run besides.
FROM swarm AS scenarios
USER root
COPY Scripts/image.sh /tmp/
RUN sh /tmp/image.sh scenarios && rm /tmp/image.sh
USER swarm
ENTRYPOINT []
CMD ["python3", "-W", "ignore", "/interop/compose/scenarios.py"]
