from spack.package import *


class CicLeft(MakefilePackage):
    """A library without dependencies."""

    homepage = "https://example.org/"
    url = "file:///software-catalog/src/cic-left-1.0.tar.gz"

    version("1.0")

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix))
