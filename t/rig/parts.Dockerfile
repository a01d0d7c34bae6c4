# A base image with what the parts of a step's image need, and a stand-in for Spack; for rig.sh parts.
ARG BASE
FROM ${BASE}
RUN apt-get -q update && apt-get -q -o Dpkg::Use-Pty=0 install -y --no-install-recommends make python3 python3-pip \
    && apt-get clean && rm -rf /var/lib/apt/lists/* /root/.cache
COPY spack-standin /opt/spack/bin/spack
ENV SPACK_ROOT=/opt/spack
