from spack.package import *


class CicCore(MakefilePackage):
    """A library of two others; the one that is made to fail."""

    homepage = "https://example.org/"
    url = "file:///software-catalog/src/cic-core-1.0.tar.gz"

    version("1.0")

    depends_on("cic-left")
    depends_on("cic-right")

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix))
