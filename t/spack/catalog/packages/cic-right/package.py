from spack.package import *


class CicRight(MakefilePackage):
    """Another library without dependencies."""

    homepage = "https://example.org/"
    url = "file:///software-catalog/src/cic-right-1.0.tar.gz"

    version("1.0")

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix))
