from spack.package import *


class CicTool(MakefilePackage):
    """A library that takes long to compile, beside the others."""

    homepage = "https://example.org/"
    url = "file:///software-catalog/src/cic-tool-1.0.tar.gz"

    version("1.0")

    def install(self, spec, prefix):
        make("install", "PREFIX={0}".format(prefix))
